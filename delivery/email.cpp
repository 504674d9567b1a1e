#include "delivery/email.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cctype>
#include <chrono>
#include <cinttypes>
#include <cstdio>

#include "delivery/email_message.h"
#include "delivery/email_smtp.h"
#include "delivery/http_integration.h"
#include "delivery/notification_templates.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr DurationMs kTimeout = 50'000;
constexpr std::uint16_t kImplicitTlsPort = 465;

/// What a Message-ID and a greeting may hold.
std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  std::string out;
  for (const char c : std::string_view(name)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-') out += c;
  }
  return out.empty() ? "localhost" : out;
}

class Email final : public Integration {
 public:
  Email(const EmailConfig& config, const IntegrationContext& context)
      : config_(config), context_(context), password_(config.auth_password), secret_(config.auth_secret) {}
  ~Email() override { cancel(); }

  std::string_view kind() const override { return "email"; }
  bool sends_resolved() const override { return config_.send_resolved; }

  void notify(NotificationPtr notification, std::function<void(DeliveryOutcome)> done) override {
    auto mail = compose(*notification);
    if (mail.ok()) {
      delivery_ = send_mail(context_.io, context_.client, std::move(*mail), kTimeout,
                            [this, done = std::move(done)](DeliveryOutcome outcome) {
                              delivery_.reset();
                              if (outcome.kind == DeliveryOutcome::Kind::delivered && !outcome.reason.empty()) {
                                log_warn("A mail did not go to all of its recipients", {{"err", outcome.reason}});
                              }
                              done(std::move(outcome));
                            });
      return;
    }
    DeliveryOutcome outcome;
    // A file that is not there may come.
    outcome.kind =
        mail.error().kind == ErrorKind::unavailable ? DeliveryOutcome::Kind::failed : DeliveryOutcome::Kind::refused;
    outcome.reason = mail.error().message;
    waiting_ = std::make_shared<bool>(true);
    boost::asio::post(context_.io, [waiting = waiting_, done = std::move(done), outcome = std::move(outcome)] {
      if (std::exchange(*waiting, false)) done(outcome);
    });
  }

  void cancel() override {
    if (waiting_) *waiting_ = false;
    if (auto delivery = std::exchange(delivery_, nullptr)) delivery->cancel();
  }

 private:
  Result<SmtpMail> compose(const Notification& notification) {
    const TemplateValue data = NotificationTemplates::data(notification, context_.external_url);
    Status failed;
    const auto take = [&failed](Result<std::string> text) {
      if (!text.ok() && failed.ok()) failed = text.error();
      return text.ok() ? std::move(*text) : std::string();
    };
    const auto expand = [&](const std::string& text) {
      return take(context_.templates->expand(text, data, notification.now));
    };
    MailMessage message;
    message.date = notification.now;
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016" PRIx64, notification.id);
    message.id = "pipit-" + std::string(digits) + "@" + host_name();
    for (const auto& [name, value] : config_.headers) message.headers.emplace_back(name, expand(value));
    if (const std::string thread = thread_of(notification); !thread.empty()) {
      message.headers.emplace_back("References", thread);
      message.headers.emplace_back("In-Reply-To", thread);
    }
    message.text = expand(config_.text);
    message.html = take(context_.templates->expand_html(config_.html, data, notification.now));
    const std::string from = expand(config_.from);
    const std::string to = expand(config_.to);
    if (!failed.ok()) return failed.error();
    SmtpMail mail = route();
    auto senders = parse_addresses(from);
    if (!senders.ok()) return bad_data("parse 'from' addresses: " + senders.error().message);
    if (senders->size() != 1) {
      return bad_data("must be exactly one 'from' address (got: " + std::to_string(senders->size()) + ")");
    }
    auto recipients = parse_addresses(to);
    if (!recipients.ok()) return bad_data("parse 'to' addresses: " + recipients.error().message);
    mail.from = senders->front().address;
    for (const MailAddress& each : *recipients) mail.recipients.push_back(each.address);
    mail.data = format_mail(message);
    auto password = read_secret(password_);
    if (!password.ok()) return password.error();
    auto secret = read_secret(secret_);
    if (!secret.ok()) return secret.error();
    mail.password = std::move(*password);
    mail.secret = std::move(*secret);
    return mail;
  }

  /// The id of a mail that never was, to which all of a group reply: programs for mail show them together.
  std::string thread_of(const Notification& notification) const {
    if (config_.threading == EmailConfig::Threading::off) return "";
    char text[64];
    std::snprintf(text, sizeof text, "<alert-%016" PRIx64, Labels({{"group", notification.group_key}}).hash());
    std::string id = text;
    if (config_.threading == EmailConfig::Threading::by_group_and_day) {
      using namespace std::chrono;
      const year_month_day day(floor<days>(sys_time<milliseconds>(milliseconds(notification.now))));
      std::snprintf(text, sizeof text, "-%04d-%02u-%02u", int{day.year()}, unsigned{day.month()}, unsigned{day.day()});
      id += text;
    }
    return id + "@" + host_name() + ">";
  }

  SmtpMail route() const {
    SmtpMail mail;
    mail.host = config_.smarthost_host.empty() ? "localhost" : config_.smarthost_host;
    mail.port = static_cast<std::uint16_t>(std::atoi(config_.smarthost_port.c_str()));
    mail.implicit_tls = config_.implicit_tls.value_or(mail.port == kImplicitTlsPort);
    mail.require_tls = config_.require_tls;
    mail.tls = config_.tls;
    for (const char c : config_.hello) {
      if (static_cast<unsigned char>(c) > ' ' && c != 0x7f) mail.hello += c;
    }
    if (mail.hello.empty()) mail.hello = "localhost";
    mail.username = config_.auth_username;
    mail.identity = config_.auth_identity;
    return mail;
  }

  EmailConfig config_;
  IntegrationContext context_;
  Secret password_;
  Secret secret_;
  std::shared_ptr<SmtpDelivery> delivery_;
  std::shared_ptr<bool> waiting_;
};

}  // namespace

std::unique_ptr<Integration> make_email(const EmailConfig& config, const IntegrationContext& context) {
  return std::make_unique<Email>(config, context);
}

}  // namespace pipit
