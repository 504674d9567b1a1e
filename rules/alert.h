#pragma once

#include <string>
#include <vector>

#include "model/labels.h"
#include "model/sample.h"

namespace pipit {

enum class AlertState { inactive, pending, firing };
/// "inactive", "pending", "firing"
std::string_view alert_state_name(AlertState state);

/// A time that was not: tests begin at 0.
inline constexpr TimestampMs kNever = kMinTimestamp;

/// One alert of an alerting rule, which its labels tell from others.
struct Alert {
  AlertState state = AlertState::pending;
  std::vector<Label> annotations;  ///< sorted by name
  double value = 0;
  TimestampMs active_at = kNever;
  TimestampMs fired_at = kNever;
  TimestampMs resolved_at = kNever;
  TimestampMs last_sent_at = kNever;
  TimestampMs valid_until = kNever;  ///< for who was told: without another word it is resolved then
  TimestampMs keep_firing_since = kNever;
};

/// What whoever delivers alerts is told of one.
struct AlertNotice {
  Labels labels;
  std::vector<Label> annotations;
  TimestampMs starts_at = 0;
  TimestampMs ends_at = 0;
  std::string generator_url;
};

/// Delivers alerts. Thread-safe.
class AlertSink {
 public:
  virtual ~AlertSink() = default;
  /// Must not wait for anybody.
  virtual void send(std::vector<AlertNotice> notices) = 0;
};

}  // namespace pipit
