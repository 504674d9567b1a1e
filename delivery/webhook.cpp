// Source of the format: Alertmanager 0.28, notify/webhook.

#include "delivery/webhook.h"

#include "delivery/http_integration.h"
#include "delivery/notification_data.h"

namespace pipit {
namespace {

class Webhook final : public HttpIntegration {
 public:
  Webhook(const WebhookConfig& config, const IntegrationContext& context)
      : HttpIntegration(context, config.send_resolved, config.http, config.timeout),
        max_alerts_(config.max_alerts),
        url_(config.url) {}
  std::string_view kind() const override { return "webhook"; }

 private:
  Result<Message> compose(const Notification& notification) override {
    auto url = read_secret(url_);
    if (!url.ok()) return url.error();
    Texts texts(context(), notification);
    Message message;
    message.url = texts.plain(*url);
    if (!texts.failed().ok()) return execution_error("the URL's template fails");
    if (max_alerts_ == 0 || notification.alerts.size() <= max_alerts_) {
      message.body = webhook_body(notification, context().external_url, 0);
    } else {
      Notification some = notification;
      some.alerts.resize(max_alerts_);
      message.body = webhook_body(some, context().external_url, notification.alerts.size() - max_alerts_);
    }
    return message;
  }

  std::uint64_t max_alerts_;
  Secret url_;
};

}  // namespace

std::string webhook_body(const Notification& notification, const std::string& external_url,
                         std::uint64_t truncated_alerts) {
  std::string body =
      "{" + NotificationData(notification, external_url).json_fields() + ",\"version\":\"4\",\"groupKey\":";
  append_json_text(body, notification.group_key);
  body += ",\"truncatedAlerts\":" + std::to_string(truncated_alerts) + "}\n";
  return body;
}

std::unique_ptr<Integration> make_webhook(const WebhookConfig& config, const IntegrationContext& context) {
  return std::make_unique<Webhook>(config, context);
}

}  // namespace pipit
