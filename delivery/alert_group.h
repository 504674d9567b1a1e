#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "delivery/alert_book.h"
#include "delivery/delivery_config.h"
#include "delivery/integration.h"
#include "delivery/notification_log.h"
#include "model/labels.h"

namespace pipit {

class IntegrationPool;
struct AlertGroup;

/// Two clocks: what people are told is in the time of the day, what is waited for in that of the machine, which nobody
/// sets.
struct Moment {
  TimestampMs wall = 0;
  std::int64_t steady = 0;  ///< milliseconds
};
inline constexpr std::int64_t kNoMoment = std::numeric_limits<std::int64_t>::max();

/// How one integration is told of a group.
struct Telling : std::enable_shared_from_this<Telling> {
  enum class State {
    idle,
    waiting,  ///< for the disk, or for an integration that is free
    on_its_way,
    backing_off,
  };

  AlertGroup* group = nullptr;
  IntegrationPool* pool = nullptr;
  std::string log_key;
  State state = State::idle;
  NotificationPtr notification;         ///< what is to be told; null: nothing
  std::vector<std::uint64_t> firing;    ///< what the log says once it is told
  std::vector<std::uint64_t> resolved;  ///< likewise
  std::uint64_t flush = 0;              ///< to which flush of the group that is an answer
  std::uint64_t settled = 0;            ///< the last flush that asks for nothing more
  std::uint64_t records = 0;            ///< which must be on the disk before
  int attempts = 0;
  std::int64_t began = 0;  ///< the attempt
  TimestampMs began_wall = 0;
  std::int64_t retry_at = kNoMoment;
  std::unique_ptr<Integration> integration;  ///< while it is on its way
  std::optional<DeliveryOutcome> outcome;    ///< that nobody has looked at
  bool complaining = false;
  bool overdue = false;  ///< there is something else to be told once the attempt has ended
};

/// Alerts that are told together.
struct AlertGroup {
  const RouteConfig* route = nullptr;
  Labels labels;
  std::string key;  ///< `{}/{severity="page"}:{alertname="Down"}`
  std::unordered_set<AlertEntry*> alerts;
  std::vector<std::shared_ptr<Telling>> tellings;  ///< of the receiver's integrations, in order
  std::int64_t next_flush = kNoMoment;
  bool flushed = false;                                          ///< `group_wait` is over
  std::uint64_t flush = 0;                                       ///< how many there were
  std::vector<std::pair<AlertEntry*, DeliveredAlertPtr>> ended;  ///< of the last flush
};

/// As Alertmanager sorts the alerts of a notification: by job, by instance, by the other labels.
bool told_before(const DeliveredAlert& a, const DeliveredAlert& b);

/// The same for the same thing to be said, and for nothing else: whatever process says it.
std::uint64_t notification_id(const std::string& log_key, std::uint64_t told_before,
                              const std::vector<DeliveredAlertPtr>& alerts, TimestampMs now);

}  // namespace pipit
