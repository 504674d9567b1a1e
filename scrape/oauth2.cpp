#include "scrape/oauth2.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/json_depth.h"
#include "scrape/http_access.h"
#include "scrape/url_encoding.h"

namespace pipit {
namespace {

constexpr std::uint64_t kLargestAnswer = 1 << 20;
constexpr std::chrono::seconds kTimeout{10};
/// A token is not used in its last seconds, as Go's oauth2 does.
constexpr std::chrono::seconds kSpare{10};
constexpr std::chrono::hours kLongest{24 * 365};
/// An answer with a token has one.
constexpr int kMostLevels = 32;

void add_field(std::string& form, std::string_view name, std::string_view value) {
  if (!form.empty()) form += '&';
  append_query_escaped(form, name);
  form += '=';
  append_query_escaped(form, value);
}

std::string escaped(std::string_view text) {
  std::string out;
  append_query_escaped(out, text);
  return out;
}

std::chrono::seconds lifetime_of(const nlohmann::json& answer) {
  const auto found = answer.find("expires_in");
  double seconds = 0;
  if (found != answer.end() && found->is_number()) seconds = found->get<double>();
  if (found != answer.end() && found->is_string()) seconds = std::strtod(found->get<std::string>().c_str(), nullptr);
  if (!(seconds > 0) || seconds > 3600.0 * 24 * 365) return kLongest;
  return std::chrono::seconds(static_cast<long>(seconds));
}

}  // namespace

OAuth2Tokens::OAuth2Tokens(HttpClient& client, const OAuth2Config& config)
    : client_(client), config_(config), client_secret_(config.client_secret) {}

void OAuth2Tokens::get(std::function<void(const Result<std::string>&)> then) {
  if (!token_.empty() && Clock::now() < expires_ && !client_secret_.changed()) {
    then(token_);
    return;
  }
  waiting_.push_back(std::move(then));
  if (waiting_.size() > 1) return;
  tried_both_ = false;
  ask();
}

void OAuth2Tokens::stop() {
  waiting_.clear();
  if (fetcher_) fetcher_->cancel();
}

Status OAuth2Tokens::prepare(bool in_form) {
  const auto secret = client_secret_.read();
  if (!secret.ok()) return secret.error();
  auto url = parse_http_url(config_.token_url);
  if (!url.ok()) return url.error();
  url_ = std::move(*url);
  if (!fetcher_) {
    fetcher_ = client_.fetcher();
    HttpClientConfig access;
    access.tls = config_.tls;
    access.proxy = config_.proxy;
    request_.access = client_.access(access);
  }
  std::string form;
  add_field(form, "grant_type", "client_credentials");
  std::string scopes;
  for (const std::string& scope : config_.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
  if (!scopes.empty()) add_field(form, "scope", scopes);
  for (const auto& [name, value] : config_.endpoint_params) add_field(form, name, value);
  std::string headers = "User-Agent: Pipit\r\nAccept: application/json\r\n";
  if (in_form) {
    add_field(form, "client_id", config_.client_id);
    if (!(**secret).empty()) add_field(form, "client_secret", **secret);
  } else {
    headers += "Authorization: Basic " + base64(escaped(config_.client_id) + ":" + escaped(**secret)) + "\r\n";
  }
  request_.url = &url_;
  request_.headers = std::make_shared<const std::string>(std::move(headers));
  request_.form = std::make_shared<const std::string>(std::move(form));
  request_.body_limit = kLargestAnswer;
  request_.timeout = kTimeout;
  return {};
}

void OAuth2Tokens::ask() {
  if (Status ready = prepare(secret_in_form_); !ready) {
    finish(Error(ready.error()));
    return;
  }
  fetcher_->fetch(request_, [self = shared_from_this()](FetchResult result) { self->answer(std::move(result)); });
}

void OAuth2Tokens::answer(FetchResult result) {
  const auto give_back = [&] { client_.pages().give(std::move(result.body)); };
  if (!result.status.ok()) {
    give_back();
    // Servers take the secret in a header or in the form, and most do not take both.
    if (result.http_status >= 400 && result.http_status < 500 && !tried_both_) {
      tried_both_ = true;
      secret_in_form_ = !secret_in_form_;
      ask();
      return;
    }
    finish(Error{ErrorKind::unavailable, "oauth2: cannot fetch token: " + result.status.error().message});
    return;
  }
  const std::string_view body = result.body.view();
  nlohmann::json json;
  if (!nests_deeper_than(body, kMostLevels)) json = nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
  give_back();
  const auto text = [&json](const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string token = text("access_token");
  if (token.empty()) {
    finish(Error{ErrorKind::unavailable, "oauth2: server response missing access_token"});
    return;
  }
  std::string type = text("token_type");
  std::string lower = type;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (type.empty() || lower == "bearer") type = "Bearer";
  token_ = type + " " + token;
  const auto lifetime = lifetime_of(json);
  expires_ = Clock::now() + (lifetime > kSpare ? lifetime - kSpare : lifetime);
  finish(token_);
}

void OAuth2Tokens::finish(const Result<std::string>& token) {
  auto waiting = std::exchange(waiting_, {});
  for (const auto& then : waiting) then(token);
}

}  // namespace pipit
