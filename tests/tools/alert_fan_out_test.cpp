#include "tools/alert_fan_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"

namespace pipit {
namespace {

class Sink final : public AlertSink {
 public:
  void send(std::vector<AlertNotice> notices) override {
    for (const AlertNotice& notice : notices) labels.push_back(notice.labels.to_string());
  }
  std::vector<std::string> labels;
};

TEST(AlertFanOut, DeliveryHearsWhatAnAlertmanagerWouldAndTheSenderWhatRulesSay) {
  const auto config = parse_config(R"(
global: {external_labels: {site: here, severity: none}}
alerting:
  alert_relabel_configs:
    - {source_labels: [alertname], regex: Test.*, action: drop}
    - {regex: replica, action: labeldrop}
)",
                                   "test.yml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  Sink sender, delivery;
  AlertFanOut fan_out(sender, delivery);
  fan_out.apply(config->alerting, config->external_labels);
  const auto notice = [](Labels labels) {
    AlertNotice made;
    made.labels = std::move(labels);
    return made;
  };
  fan_out.send(
      {notice({{"alertname", "Down"}, {"severity", "page"}, {"replica", "a"}}), notice({{"alertname", "Testing"}})});
  EXPECT_THAT(delivery.labels, testing::ElementsAre(R"({alertname="Down", severity="page", site="here"})"));
  EXPECT_THAT(sender.labels,
              testing::ElementsAre(R"({alertname="Down", replica="a", severity="page"})", R"({alertname="Testing"})"));
}

}  // namespace
}  // namespace pipit
