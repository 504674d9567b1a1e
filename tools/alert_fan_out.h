#pragma once

#include <mutex>
#include <vector>

#include "config/config.h"
#include "model/labels.h"
#include "rules/alert.h"

namespace pipit {

/// Tells both the external Alertmanagers of `alerting` and Pipit's own delivery. Thread-safe.
class AlertFanOut final : public AlertSink {
 public:
  /// Both must outlive this.
  AlertFanOut(AlertSink& sender, AlertSink& delivery) : sender_(sender), delivery_(delivery) {}

  /// What a configuration does to alerts before Alertmanagers hear of them, it does for delivery, too. The sender has
  /// its own.
  void apply(const AlertingConfig& config, const Labels& external_labels);
  void send(std::vector<AlertNotice> notices) override;

 private:
  AlertSink& sender_;
  AlertSink& delivery_;
  std::mutex mutex_;  ///< of what is below
  Labels external_labels_;
  std::vector<RelabelConfig> relabel_configs_;
};

}  // namespace pipit
