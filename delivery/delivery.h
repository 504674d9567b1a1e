#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "delivery/delivery_config.h"
#include "delivery/notification.h"
#include "delivery/silence.h"
#include "model/labels.h"
#include "model/result.h"
#include "rules/alert.h"
#include "storage/record_store.h"

namespace pipit {

class MetricsRegistry;

struct DeliveryOptions {
  std::string external_url;  ///< without a slash at its end
  std::string user_agent = "Pipit";
  std::size_t max_alerts = 100'000;
  std::size_t max_silences = 10'000;
  std::size_t max_silence_bytes = 64 << 10;            ///< of one
  DurationMs retention = DurationMs{120} * 3'600'000;  ///< of what was told and of silences that are over
};

/// An alert with what is known of it, for the API.
struct AlertView {
  DeliveredAlertPtr alert;
  std::vector<std::string> receivers;
  std::vector<std::string> silenced_by;   ///< ids of silences
  std::vector<std::string> inhibited_by;  ///< fingerprints
  std::vector<std::string> muted_by;      ///< names of time intervals
};

struct AlertGroupView {
  Labels labels;
  std::string receiver;
  std::vector<AlertView> alerts;
};

/// What became of an integration of late, for the API, the page and the CLI.
struct IntegrationView {
  std::string receiver;
  std::string kind;
  bool send_resolved = false;
  TimestampMs last_attempt = 0;
  DurationMs last_duration = 0;
  std::string last_error;  ///< "": it went well
};

/// Routes, groups, mutes and delivers alerts, as Alertmanager does and with its configuration. docs/delivery.md.
/// One thread, and short-lived ones for what blocks; none before the first `apply`. Thread-safe.
class Delivery final : public AlertSink {
 public:
  /// Both must outlive this.
  Delivery(RecordStore& records, MetricsRegistry& metrics, DeliveryOptions options);
  ~Delivery() override;

  /// Takes a configuration, at the start or in place of the one that runs. Alerts and groups that stay keep their
  /// state. Errors: unavailable when what an earlier process left can't be read.
  Status apply(DeliveryConfig config);
  void send(std::vector<AlertNotice> notices) override;
  /// Ends what is on its way. What was not told is told after the next start.
  void stop();

  std::vector<AlertView> alerts() const;
  std::vector<AlertGroupView> groups() const;
  std::vector<IntegrationView> integrations() const;
  std::vector<std::string> receivers() const;
  std::string config_text() const;  ///< redacted
  TimestampMs started_at() const;

  std::vector<Silence> silences() const;  ///< those that are over are there for a while
  /// Adds a silence, or changes the one of its id; returns the id under which it is in force. On the disk when this
  /// returns. Errors: bad_data, not_found for an unknown id, unavailable.
  Result<std::string> set_silence(Silence silence);
  Status expire_silence(const std::string& id);

 private:
  class Running;
  std::unique_ptr<Running> running_;
};

}  // namespace pipit
