#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/config.h"
#include "model/labels.h"
#include "rules/alert.h"

namespace pipit {

class MetricsRegistry;

struct AlertSenderOptions {
  std::string user_agent = "Pipit";
  std::size_t queue_capacity = 10'000;  ///< alerts that wait for one Alertmanager
  std::size_t batch_size = 256;         ///< alerts of a request
  bool drain_on_stop = true;
};

/// Sends alerts to the Alertmanagers of `alerting`. One thread for all of them, and one for discovery where there is
/// any; none while nothing is configured. docs/alerting.md. Thread-safe.
///
/// Each Alertmanager has its own queue, in which an alert takes the place of what was to be told of it before. What
/// can't be delivered is tried again with backoff.
class AlertSender final : public AlertSink {
 public:
  /// `metrics` must outlive the sender.
  AlertSender(MetricsRegistry& metrics, AlertSenderOptions options);
  ~AlertSender() override;  ///< stops without sending anything more

  /// Makes the Alertmanagers those of the configuration. Those that stay keep their queues.
  void apply(const AlertingConfig& config, const Labels& external_labels);
  void send(std::vector<AlertNotice> notices) override;
  /// Tries once more to send what waits, for as long as a request may take.
  void stop();

  struct Urls {
    std::vector<std::string> active;
    std::vector<std::string> dropped;
  };
  Urls urls() const;

 private:
  class Running;

  MetricsRegistry& metrics_;
  const AlertSenderOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<Running> running_;
};

}  // namespace pipit
