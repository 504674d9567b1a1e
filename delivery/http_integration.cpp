#include "delivery/http_integration.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <charconv>

#include "delivery/notification_data.h"
#include "delivery/notification_templates.h"
#include "delivery/text_limits.h"
#include "scrape/http_access.h"

namespace pipit {
namespace {

constexpr DurationMs kUsualTimeout = 30'000;
constexpr DurationMs kLongestTimeout = 59'000;
/// An answer that has more is no answer.
constexpr std::uint64_t kLargestAnswer = 1u << 20;
/// Of what is shown of a message or an answer.
constexpr std::size_t kShown = 2048;
constexpr DurationMs kLongestRetryAfter = 3'600'000;

DeliveryOutcome refused(std::string reason) {
  return {DeliveryOutcome::Kind::refused, std::move(reason), {}, std::nullopt};
}

}  // namespace

std::optional<DurationMs> parse_retry_after(const std::string& text) {
  DurationMs seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || text.empty() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return std::min(seconds, kLongestRetryAfter / 1000) * 1000;
}

Result<std::string> read_secret(Secret& secret) {
  auto text = secret.read();
  if (!text.ok()) return text.error();
  return **text;
}

// ---- texts -------------------------------------------------------------------------------------------------------
HttpIntegration::Texts::Texts(const IntegrationContext& context, const Notification& notification)
    : templates_(*context.templates),
      data_(NotificationTemplates::data(notification, context.external_url)),
      now_(notification.now) {}

std::string HttpIntegration::Texts::take(Result<std::string> text) {
  if (text.ok()) return std::move(*text);
  if (failed_.ok()) failed_ = text.error();
  return {};
}

std::string HttpIntegration::Texts::plain(const std::string& text) {
  return take(templates_.expand(text, data_, now_));
}

std::string HttpIntegration::Texts::html(const std::string& text) {
  return take(templates_.expand_html(text, data_, now_));
}

// ---- the request -------------------------------------------------------------------------------------------------
HttpIntegration::HttpIntegration(const IntegrationContext& context, bool sends_resolved, const HttpClientConfig& http,
                                 DurationMs timeout)
    : context_(context),
      sends_resolved_(sends_resolved),
      timeout_(timeout > 0 ? std::min(timeout, kLongestTimeout) : kUsualTimeout),
      http_(http) {}

HttpIntegration::~HttpIntegration() {
  life_->ended = true;
  if (fetcher_) fetcher_->cancel();
}

void HttpIntegration::notify(NotificationPtr notification, std::function<void(DeliveryOutcome)> done) {
  ++run_;
  done_ = std::move(done);
  auto message = compose(*notification);
  if (!message.ok()) {
    DeliveryOutcome outcome = refused(message.error().message);
    // A file that is not there may come.
    if (message.error().kind == ErrorKind::unavailable) outcome.kind = DeliveryOutcome::Kind::failed;
    return finish_later(std::move(outcome));
  }
  auto url = parse_http_url(message->url);
  if (!url.ok()) return finish_later(refused("the URL is not an http or https URL"));
  url_ = std::move(*url);
  redaction_ = {};
  for (std::string& secret : message->secrets) {
    redaction_.add_parts(secret);
    redaction_.add(std::move(secret));
  }
  for (const std::string& secret : {message->url, url_.text, url_.path, url_.user_info}) redaction_.add(secret);
  redaction_.add_parts(url_.path);
  redaction_.add_parts(url_.user_info);
  redaction_.add_parts(message->authorization);
  std::string headers = "User-Agent: " + context_.user_agent + "\r\n";
  if (!message->authorization.empty()) {
    auto line = header_line("Authorization", message->authorization);
    if (!line.ok()) return finish_later(refused("the token has characters that no header can have"));
    headers += *line;
  }
  if (!fetcher_) {
    fetcher_ = context_.client.fetcher();
    access_ = context_.client.access(http_);
  }
  request_.url = &url_;
  request_.headers = std::make_shared<const std::string>(std::move(headers));
  request_.body_limit = kLargestAnswer;
  request_.timeout = std::chrono::milliseconds(timeout_);
  request_.access = access_;
  request_.form = std::make_shared<const std::string>(std::move(message->body));
  request_.form_type = "application/json";
  request_.raw = true;
  fetcher_->fetch(request_, [this, life = life_](FetchResult result) {
    if (!life->ended) answered(std::move(result));
  });
}

void HttpIntegration::finish_later(DeliveryOutcome outcome) {
  boost::asio::post(context_.io, [this, life = life_, run = run_, outcome = std::move(outcome)] {
    if (life->ended || run != run_) return;
    if (auto done = std::exchange(done_, nullptr)) done(outcome);
  });
}

/// What the request's headers gave away: the other side may show them.
void HttpIntegration::redact_credentials() {
  if (access_ == nullptr) return;
  const auto lines = std::make_shared<std::string>();  // a token that is out of date comes later
  access_->credentials([lines](const Result<std::string>& text) {
    if (text.ok()) *lines = *text;
  });
  if (http_.basic_auth) {
    Secret secret(http_.basic_auth->password);
    if (const auto password = secret.read(); password.ok()) redaction_.add(**password);
  }
  std::string_view rest = *lines;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(rest.size(), line.size() + 2));
    const std::string_view value = line.substr(std::min(line.size(), line.find(": ") + 2));
    redaction_.add(std::string(value.substr(value.rfind(' ') + 1)));
    redaction_.add_parts(value);
  }
}

void HttpIntegration::answered(FetchResult result) {
  Answer answer{result.http_status, result.content_type, std::string(result.body.view()), result.retry_after};
  context_.client.pages().give(std::move(result.body));
  redact_credentials();
  answer.body =
      redaction_.others(std::move(answer.body));  // before anything is cut off: half a secret is found by none
  DeliveryOutcome outcome;
  if (answer.status == 0) {
    outcome.kind = DeliveryOutcome::Kind::failed;
    outcome.reason = result.status.ok() ? "no answer" : result.status.error().message;
  } else {
    outcome = judge(answer);
  }
  outcome.reason = redaction_.others(std::move(outcome.reason));
  const std::string scheme = url_.endpoint.tls ? "https://" : "http://";
  std::string said = "POST " + scheme + url_.authority + " <redacted>\n" + limit_characters(*request_.form, kShown);
  if (!said.ends_with('\n')) said += '\n';
  said += answer.status == 0 ? outcome.reason : "HTTP " + std::to_string(answer.status);
  if (!answer.body.empty()) said += "\n" + limit_characters(answer.body, kShown);
  outcome.conversation = redaction_.own(std::move(said));
  request_.form.reset();
  if (auto done = std::exchange(done_, nullptr)) done(std::move(outcome));
}

void HttpIntegration::cancel() {
  ++run_;
  done_ = nullptr;
  if (fetcher_) fetcher_->cancel();
}

DeliveryOutcome HttpIntegration::judge(const Answer& answer) const {
  DeliveryOutcome outcome;
  if (answer.status / 100 == 2) return outcome;
  const bool later = answer.status / 100 == 5 || answer.status == 429 || answer.status == 408;
  outcome.kind = later ? DeliveryOutcome::Kind::failed : DeliveryOutcome::Kind::refused;
  outcome.reason = "unexpected status code " + std::to_string(answer.status);
  const std::string said = limit_characters(answer.body.substr(0, answer.body.find('\n')), 256);
  if (!said.empty()) outcome.reason += ": " + said;
  if (later) outcome.retry_after = parse_retry_after(answer.retry_after);
  return outcome;
}

}  // namespace pipit
