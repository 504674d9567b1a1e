#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "config/schema.h"
#include "delivery/integration.h"
#include "delivery/notification_templates.h"
#include "delivery/receiver_config.h"
#include "scrape/blocking_calls.h"
#include "scrape/http_client.h"
#include "scrape/page_buffer.h"

namespace pipit {

inline constexpr TimestampMs kTestNow = 1'795'412'400'000;  // 2026-11-23T05:40:00Z

inline DeliveredAlertPtr test_alert(Labels labels, std::vector<Label> annotations, TimestampMs starts,
                                    TimestampMs ends = kTestNow + 600'000) {
  auto alert = std::make_shared<DeliveredAlert>();
  alert->labels = std::move(labels);
  alert->annotations = std::move(annotations);
  alert->starts_at = starts;
  alert->ends_at = ends;
  alert->generator_url = "http://p/graph?x=1&y=2";
  return alert;
}

/// One firing alert with hostile characters, one that is resolved.
inline Notification test_notification() {
  Notification notification;
  notification.receiver = "web \"team\"";
  notification.group_key = "{}:{alertname=\"Down\"}";
  notification.group_labels = Labels({{"alertname", "Down"}});
  notification.now = kTestNow;
  notification.id = 0x0123456789abcdef;
  notification.alerts = {
      test_alert({{"alertname", "Down"}, {"instance", "a:80"}, {"severity", "page"}, {"evil", "<b>\"'&"}},
                 {{"summary", "It is down"}}, kTestNow - 600'000 + 500),
      test_alert({{"alertname", "Down"}, {"instance", "b:80"}, {"severity", "page"}}, {{"summary", "It is down"}},
                 kTestNow - 600'000, kTestNow)};
  return notification;
}

/// Reads the YAML of one receiver, with a `global` if there is one.
inline Result<ReceiverConfig> read_receiver(const std::string& yaml, const std::string& global = "",
                                            std::vector<ConfigWarning>* warnings = nullptr) {
  SchemaChecker checker("alertmanager.yml");
  DeliveryDefaults defaults;
  auto root = parse_yaml(global, "alertmanager.yml");
  if (!root.ok()) return root.error();
  if (auto error = checker.check(**root, kDeliveryGlobalSection)) return *error;
  auto built = build_delivery_defaults(&**root, checker);
  if (!built.ok()) return built.error();
  auto node = parse_yaml(yaml, "alertmanager.yml");
  if (!node.ok()) return node.error();
  if (auto error = checker.check(**node, kReceiverSection)) return *error;
  auto receiver = build_receiver(**node, *built, checker);
  if (receiver.ok()) {
    if (auto refusal = checker.refusal()) return *refusal;
  }
  if (warnings != nullptr) *warnings = checker.warnings();
  return receiver;
}

/// Integrations on a thread of their own: that of the test.
class IntegrationTest : public ::testing::Test {
 protected:
  /// Tells by the first integration of the receiver.
  DeliveryOutcome tell(const std::string& yaml, const std::string& global = "",
                       const Notification& notification = test_notification()) {
    auto receiver = read_receiver(yaml, global);
    if (!receiver.ok()) {
      ADD_FAILURE() << receiver.error().message;
      return {};
    }
    auto integrations = make_integrations(*receiver, context());
    DeliveryOutcome outcome;
    int calls = 0;
    integrations.front()->notify(std::make_shared<const Notification>(notification), [&](DeliveryOutcome how) {
      outcome = std::move(how);
      ++calls;
    });
    EXPECT_EQ(calls, 0) << "an outcome comes later";
    io_.restart();
    while (calls == 0 && io_.run_one_for(std::chrono::seconds(20)) > 0) {
    }
    EXPECT_EQ(calls, 1);
    return outcome;
  }

  IntegrationContext context() { return {io_, client_, calls_, templates_, "http://pipit:9090", "Pipit/test"}; }

  boost::asio::io_context io_;
  PageBufferPool pages_;
  HttpClient client_{io_, pages_};
  BlockingCalls calls_{io_, 1};
  std::shared_ptr<const NotificationTemplates> templates_ = *NotificationTemplates::load({});
};

}  // namespace pipit
