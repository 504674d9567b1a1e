#include "api/web_security.h"

#include <sys/stat.h>

#include <algorithm>

#include "telemetry/log.h"

namespace pipit {

WebSecurity::WebSecurity(std::string path, MetricsRegistry& metrics)
    : path_(std::move(path)),
      successful_(metrics.gauge("pipit_web_config_last_reload_successful",
                                "Whether the web configuration file could be read when it last changed.")),
      refused_(metrics.counter("pipit_http_unauthorized_requests_total", "Requests without a right password.")) {}

Result<std::unique_ptr<WebSecurity>> WebSecurity::open(const std::string& path, MetricsRegistry& metrics) {
  std::unique_ptr<WebSecurity> made(new WebSecurity(path, metrics));
  auto rules = made->read_watched();
  if (!rules.ok()) return rules.error();
  made->rules_ = std::move(*rules);
  made->is_tls_ = made->rules_->tls != nullptr;
  made->rate_tokens_ = made->rules_->config.rate_burst;
  made->rate_time_ = std::chrono::steady_clock::now();
  made->successful_.set(1);
  return made;
}

Result<std::shared_ptr<const WebSecurity::Rules>> WebSecurity::read(const std::string& path,
                                                                    std::vector<std::string>& files) {
  auto config = load_web_config(path, files);
  if (!config.ok()) return config.error();
  auto rules = std::make_shared<Rules>();
  if (config->tls_enabled) {
    auto tls = TlsServerContext::make(config->tls);
    if (!tls.ok()) return bad_data(path + ": tls_server_config: " + tls.error().message);
    rules->tls = std::move(*tls);
  }
  if (!config->users.empty()) rules->passwords = std::make_unique<PasswordCheck>(config->users);
  config->tls = TlsServerConfig();  // the context has the key now
  rules->config = std::move(*config);
  return std::shared_ptr<const Rules>(std::move(rules));
}

std::vector<WebSecurity::FileState> WebSecurity::look_at(const std::vector<std::string>& files) {
  std::vector<FileState> states;
  for (const std::string& file : files) {
    struct stat found {};
    FileState state;
    if (::stat(file.c_str(), &found) == 0) {
      state.inode = found.st_ino;
      state.size = found.st_size;
      state.changed_ns = found.st_ctim.tv_sec * 1'000'000'000LL + found.st_ctim.tv_nsec;
    }
    states.push_back(state);
  }
  return states;
}

Result<std::shared_ptr<const WebSecurity::Rules>> WebSecurity::read_watched() {
  constexpr int kTries = 3;  // another set of files each time: somebody is writing
  for (int tries = 1;; ++tries) {
    states_ = look_at(files_);  // as they are before they are read: what changes meanwhile is read again
    std::vector<std::string> files;
    auto rules = read(path_, files);
    if (files == files_ || tries == kTries) return rules;
    files_ = std::move(files);
  }
}

std::shared_ptr<const WebSecurity::Rules> WebSecurity::rules() {
  const std::lock_guard lock(mutex_);
  if (look_at(files_) == states_) return rules_;
  auto found = read_watched();
  Status status = found.ok() ? Status() : Status(found.error());
  if (status.ok() && ((*found)->tls != nullptr) != is_tls_) {
    status = bad_data(path_ + ": turning TLS on or off takes a restart");
  }
  successful_.set(status.ok() ? 1 : 0);
  if (!status.ok()) {
    log_error("The new web configuration is refused, the old one stays", {{"err", status.error()}});
    return rules_;
  }
  rules_ = std::move(*found);
  log_info("Loaded the web configuration", {{"file", path_}, {"users", rules_->config.users.size()}});
  return rules_;
}

WebSecurity::Verdict WebSecurity::check(const std::string& authorization, bool may_take_long) {
  const auto rules = this->rules();
  if (!rules->passwords) return Verdict::allowed;
  const auto credentials = parse_basic_authorization(authorization);
  if (!credentials) {
    if (may_take_long) refused_.add();
    return Verdict::unauthorized;
  }
  if (!may_take_long) {
    const auto remembered = rules->passwords->remembered(*credentials);
    if (!remembered) return Verdict::unknown;
    return *remembered ? Verdict::allowed : Verdict::unauthorized;
  }
  if (rules->passwords->verify(*credentials)) return Verdict::allowed;
  refused_.add();
  return Verdict::unauthorized;
}

WebSecurity::Verdict WebSecurity::verdict(const std::string& authorization) { return check(authorization, false); }

WebSecurity::Verdict WebSecurity::verify(const std::string& authorization) { return check(authorization, true); }

bool WebSecurity::take_rate() {
  const auto rules = this->rules();
  if (rules->config.rate_interval == 0) return true;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double, std::milli> passed = now - rate_time_;
  rate_time_ = now;
  const double gained = passed.count() / static_cast<double>(rules->config.rate_interval);
  rate_tokens_ = std::min(rate_tokens_ + gained, static_cast<double>(rules->config.rate_burst));
  if (rate_tokens_ < 1) return false;
  rate_tokens_ -= 1;
  return true;
}

std::shared_ptr<const TlsServerContext> WebSecurity::tls() { return rules()->tls; }

std::vector<std::pair<std::string, std::string>> WebSecurity::headers() { return rules()->config.headers; }

}  // namespace pipit
