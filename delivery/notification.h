#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/labels.h"
#include "model/sample.h"

namespace pipit {

/// An alert as delivery knows it. Its labels tell it from others.
struct DeliveredAlert {
  Labels labels;
  std::vector<Label> annotations;  ///< sorted by name
  TimestampMs starts_at = 0;
  TimestampMs ends_at = 0;  ///< when it is resolved, or was
  TimestampMs updated_at = 0;
  std::string generator_url;
  bool timed_out = false;  ///< nobody said when it ends: it ends unless it is repeated

  bool resolved_at(TimestampMs now) const { return ends_at <= now; }
};
using DeliveredAlertPtr = std::shared_ptr<const DeliveredAlert>;

/// The hash by which Alertmanager's API and templates name an alert: FNV-1a of names and values, each followed by 0xff.
std::uint64_t alert_fingerprint(const Labels& labels);

/// What one integration of a receiver is to tell of one group.
struct Notification {
  std::string receiver;
  std::string group_key;  ///< `{}/{severity="page"}:{alertname="Down"}`
  Labels group_labels;
  std::vector<DeliveredAlertPtr> alerts;  ///< by labels; never empty
  TimestampMs now = 0;                    ///< decides which of them are resolved
  std::uint64_t id = 0;                   ///< the same in each attempt to say this, also after a restart
};
using NotificationPtr = std::shared_ptr<const Notification>;

}  // namespace pipit
