#include "api/status_handlers.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "api/api_answer.h"
#include "api/api_parameters.h"
#include "api/json_writer.h"
#include "model/duration.h"
#include "query/parser.h"

namespace pipit {
namespace {

/// The release of Prometheus whose API this is: Grafana and others choose features by it.
constexpr std::string_view kPrometheusVersion = "3.14.0";

/// Writes the fields of one JSON object.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_.push_back('{'); }
  ~JsonObject() { out_.push_back('}'); }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  std::string& key(std::string_view name) {
    if (!first_) out_.push_back(',');
    first_ = false;
    append_json_string(out_, name);
    out_.push_back(':');
    return out_;
  }
  void text(std::string_view name, std::string_view value) { append_json_string(key(name), value); }
  void number(std::string_view name, double value) { append_json_number(key(name), value); }
  void integer(std::string_view name, std::int64_t value) { key(name).append(std::to_string(value)); }
  void boolean(std::string_view name, bool value) { key(name).append(value ? "true" : "false"); }
  void labels(std::string_view name, const Labels& value) { append_json_labels(key(name), value); }

 private:
  std::string& out_;
  bool first_ = true;
};

std::string_view health_name(TargetHealth health) {
  switch (health) {
    case TargetHealth::up:
      return "up";
    case TargetHealth::down:
      return "down";
    case TargetHealth::unknown:
      return "unknown";
  }
  return "unknown";
}

/// Go's zero time is what Prometheus prints for "never".
std::string rfc3339_or_never(TimestampMs t) { return t == 0 ? "0001-01-01T00:00:00Z" : format_rfc3339(t); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

void append_active_target(std::string& out, const TargetStatus& target, std::string_view own_url, int own_port) {
  JsonObject object(out);
  object.labels("discoveredLabels", target.discovered_labels);
  object.labels("labels", target.labels);
  object.text("scrapePool", target.scrape_pool);
  object.text("scrapeUrl", target.scrape_url);
  object.text("globalUrl", global_url(target.scrape_url, own_url, own_port));
  object.text("lastError", target.last_error);
  if (!target.last_warning.empty()) object.text("lastWarning", target.last_warning);
  object.text("lastScrape", rfc3339_or_never(target.last_scrape));
  object.number("lastScrapeDuration", target.last_scrape_duration);
  object.text("health", health_name(target.health));
  object.text("scrapeInterval", format_duration(target.scrape_interval));
  object.text("scrapeTimeout", format_duration(target.scrape_timeout));
}

void append_counts(std::string& out, const std::vector<Cardinality::Count>& counts) {
  out.push_back('[');
  bool first = true;
  for (const Cardinality::Count& count : counts) {
    if (!std::exchange(first, false)) out.push_back(',');
    JsonObject object(out);
    object.text("name", count.name);
    object.integer("value", static_cast<std::int64_t>(count.count));
  }
  out.push_back(']');
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

struct UrlParts {
  std::string_view scheme;
  std::string_view host;
  std::string_view port;  ///< "" when not written
  std::string_view rest;  ///< path and query
};

UrlParts split_url(std::string_view url) {
  UrlParts parts;
  std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return parts;
  parts.scheme = url.substr(0, scheme_end);
  std::string_view after = url.substr(scheme_end + 3);
  std::size_t host_end = std::min(after.find_first_of("/?"), after.size());
  parts.rest = after.substr(host_end);
  std::string_view authority = after.substr(0, host_end);
  std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    parts.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  parts.host = authority;
  return parts;
}

}  // namespace

std::string global_url(std::string_view scrape_url, std::string_view own_url, int own_port) {
  UrlParts target = split_url(scrape_url);
  constexpr std::array<std::string_view, 3> kLocal = {"127.0.0.1", "localhost", "[::1]"};
  if (std::find(kLocal.begin(), kLocal.end(), target.host) == kLocal.end()) return std::string(scrape_url);
  UrlParts own = split_url(own_url);
  std::string fallback;
  if (own.host.empty()) {
    fallback = host_name();
    own = {target.scheme, fallback, target.port, {}};
  }
  // A local target on our own port is this server, which the outside may reach by another port or scheme.
  bool is_this_server = target.port == std::to_string(own_port);
  std::string url(is_this_server ? own.scheme : target.scheme);
  url.append("://").append(own.host);
  std::string_view port = is_this_server ? own.port : target.port;
  if (!port.empty()) url.append(":").append(port);
  return url.append(target.rest);
}

HttpResponse handle_targets(const ServerContext& context, const HttpRequest& request, std::string_view own_url,
                            int own_port) {
  std::string state = lower(request.form.get("state"));
  std::string_view pool = request.form.get("scrapePool");
  bool show_active = state.empty() || state == "any" || state == "active";
  bool show_dropped = state.empty() || state == "any" || state == "dropped";
  auto in_pool = [&](const auto& target) { return pool.empty() || target.scrape_pool == pool; };

  std::string data;
  {
    JsonObject object(data);
    object.key("activeTargets").push_back('[');
    bool first = true;
    if (context.scraping && show_active) {
      for (const TargetStatus& target : context.scraping->active_targets()) {
        if (!in_pool(target)) continue;
        if (!std::exchange(first, false)) data.push_back(',');
        append_active_target(data, target, own_url, own_port);
      }
    }
    data.push_back(']');

    std::vector<DroppedTarget> dropped;
    if (context.scraping) dropped = context.scraping->dropped_targets();
    std::map<std::string, std::int64_t> counts;
    if (context.scraping) {
      for (std::string& name : context.scraping->scrape_pools()) counts[std::move(name)] = 0;
    }
    object.key("droppedTargets").push_back('[');
    first = true;
    for (const DroppedTarget& target : dropped) {
      ++counts[target.scrape_pool];
      if (!show_dropped || !in_pool(target)) continue;
      if (!std::exchange(first, false)) data.push_back(',');
      JsonObject entry(data);
      entry.labels("discoveredLabels", target.discovered_labels);
      entry.text("scrapePool", target.scrape_pool);
    }
    data.push_back(']');
    JsonObject dropped_counts(object.key("droppedTargetCounts"));
    for (const auto& [name, count] : counts) dropped_counts.integer(name, count);
  }
  return api_success(data);
}

HttpResponse handle_scrape_pools(const ServerContext& context) {
  std::vector<std::string> pools;
  if (context.scraping) pools = context.scraping->scrape_pools();
  std::sort(pools.begin(), pools.end());
  std::string data = R"({"scrapePools":[)";
  for (std::size_t i = 0; i < pools.size(); ++i) {
    if (i > 0) data.push_back(',');
    append_json_string(data, pools[i]);
  }
  return api_success(data + "]}");
}

HttpResponse handle_build_info(const ServerOptions& options) {
  std::string data;
  {
    JsonObject object(data);
    object.text("version", kPrometheusVersion);
    object.text("revision", "");
    object.text("branch", "");
    object.text("buildUser", "");
    object.text("buildDate", "");
    object.text("goVersion", "");
    object.text("application", "Pipit");
    object.text("applicationVersion", options.version);
  }
  return api_success(data);
}

HttpResponse handle_config(const ServerContext& context) {
  std::string data;
  {
    JsonObject object(data);
    object.text("yaml", context.config_text ? context.config_text() : std::string());
  }
  return api_success(data);
}

HttpResponse handle_flags(const ServerContext& context) {
  std::string data;
  {
    JsonObject object(data);
    for (const auto& [name, value] : context.flags) object.text(name, value);
  }
  return api_success(data);
}

HttpResponse handle_runtime_info(const ServerContext& context, TimestampMs start_time) {
  ReloadState reload;
  reload.time = start_time;
  if (context.reload_state) reload = context.reload_state();
  std::string retention;
  for (const auto& [name, value] : context.flags) {
    if (name == "storage.tsdb.retention.time") retention = value;
  }
  std::error_code ignored;
  std::string data;
  {
    JsonObject object(data);
    object.text("startTime", format_rfc3339(start_time));
    object.text("CWD", std::filesystem::current_path(ignored).string());
    object.text("hostname", host_name());
    object.text("serverTime", format_rfc3339(now_ms()));
    object.boolean("reloadConfigSuccess", reload.success);
    object.text("lastConfigTime", rfc3339_or_never(reload.time));
    object.integer("corruptionCount", 0);
    object.integer("goroutineCount", 0);
    object.integer("GOMAXPROCS", std::thread::hardware_concurrency());
    object.integer("GOMEMLIMIT", 0);
    object.text("GOGC", "");
    object.text("GODEBUG", "");
    object.text("storageRetention", retention);
  }
  return api_success(data);
}

HttpResponse handle_replay_status(bool ready) {
  return api_success(ready ? R"({"min":0,"max":0,"current":0})" : R"({"min":0,"max":1,"current":0})");
}

HttpResponse TsdbStatus::handle(const ServerContext& context, const HttpRequest& request) {
  constexpr std::size_t kDefaultLimit = 10;
  constexpr std::size_t kMaxLimit = 10'000;
  std::size_t limit = kDefaultLimit;
  if (const std::string_view text = request.form.get("limit"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit < 1) {
      return api_error(bad_data("limit must be a positive number"));
    }
    if (limit > kMaxLimit) return api_error(bad_data("limit must not exceed " + std::to_string(kMaxLimit)));
  }
  StoreStats stats;
  std::lock_guard lock(mutex_);  // who comes meanwhile gets the same answer
  if (context.store) {
    stats = context.store->stats();
    const auto start = std::chrono::steady_clock::now();
    if (limit != limit_ || start >= good_until_) {
      auto counts = context.store->cardinality(limit);
      if (!counts.ok()) return api_error(counts.error());
      const auto end = std::chrono::steady_clock::now();
      counts_ = std::move(*counts);
      limit_ = limit;
      good_until_ = end + 10 * (end - start);
    }
  }
  std::string data;
  {
    JsonObject object(data);
    {
      JsonObject head(object.key("headStats"));
      head.integer("numSeries", static_cast<std::int64_t>(stats.head_series));
      head.integer("numLabelPairs", static_cast<std::int64_t>(counts_.label_pairs));
      head.integer("chunkCount", static_cast<std::int64_t>(stats.head_series));
      head.integer("minTime", stats.min_time);
      head.integer("maxTime", stats.max_time);
    }
    append_counts(object.key("seriesCountByMetricName"), counts_.series_by_metric);
    append_counts(object.key("labelValueCountByLabelName"), counts_.values_by_label);
    append_counts(object.key("memoryInBytesByLabelName"), counts_.bytes_by_label);
    append_counts(object.key("seriesCountByLabelValuePair"), counts_.series_by_pair);
  }
  return api_success(data);
}

}  // namespace pipit
