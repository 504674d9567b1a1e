// A group's flush: what is to be told to whom.
// Source of the rules: Alertmanager 0.28, dispatch/dispatch.go and notify/notify.go.

#include <algorithm>

#include "delivery/dispatcher.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

/// How long an attempt goes on at least when there is something else to tell meanwhile, however short `group_interval`
/// is. Source: Alertmanager, notify.MinTimeout.
constexpr std::int64_t kLeastTime = 10'000;

bool contains(const std::vector<TimeInterval>& intervals, TimestampMs now) {
  return std::any_of(intervals.begin(), intervals.end(),
                     [now](const TimeInterval& each) { return each.contains(now); });
}

}  // namespace

void Dispatcher::flush(AlertGroup& group, Moment now) {
  ++group.flush;
  group.flushed = true;
  schedule(group, now.steady + group.route->group_interval);
  std::vector<DeliveredAlertPtr> alerts;
  std::unordered_map<const DeliveredAlert*, AlertEntry*> entries;
  group.ended.clear();
  for (AlertEntry* entry : group.alerts) {
    alerts.push_back(entry->alert);
    entries.emplace(entry->alert.get(), entry);
    entry->looked_at = true;
    if (!entry->alert->resolved_at(now.wall)) continue;
    group.ended.emplace_back(entry, entry->alert);
    book_.store_end(*entry);  // before anybody is told
  }
  drop_muted(group, alerts, entries, now.wall);
  std::sort(alerts.begin(), alerts.end(), [](const auto& a, const auto& b) { return told_before(*a, *b); });
  for (const auto& telling : group.tellings) {
    if (alerts.empty()) {
      cancel(*telling);
      telling->settled = group.flush;
    } else {
      decide(*telling, alerts, now);
    }
  }
  settle(group, now.wall);
}

/// The intervals by which a route is mute now; `inactive` when that is for being in none of its active ones.
std::vector<std::string> Dispatcher::muting_intervals(const RouteConfig& route, TimestampMs now, bool& inactive) const {
  const auto is_in = [&](const std::string& name) {
    return std::any_of(config_->time_intervals.begin(), config_->time_intervals.end(),
                       [&](const auto& named) { return named.first == name && contains(named.second, now); });
  };
  inactive = !route.active_time_intervals.empty() &&
             std::none_of(route.active_time_intervals.begin(), route.active_time_intervals.end(), is_in);
  if (inactive) return route.active_time_intervals;
  std::vector<std::string> names;
  std::copy_if(route.mute_time_intervals.begin(), route.mute_time_intervals.end(), std::back_inserter(names), is_in);
  return names;
}

/// In Alertmanager's order, which shows in the counters.
void Dispatcher::drop_muted(const AlertGroup& group, std::vector<DeliveredAlertPtr>& alerts,
                            std::unordered_map<const DeliveredAlert*, AlertEntry*>& entries, TimestampMs now) {
  inhibited_.add(static_cast<double>(
      std::erase_if(alerts, [&](const auto& alert) { return inhibition_->inhibitor(alert->labels, now) != nullptr; })));
  bool inactive = false;
  if (!muting_intervals(*group.route, now, inactive).empty()) {
    (inactive ? inactive_ : muted_).add(static_cast<double>(alerts.size()));
    alerts.clear();
  }
  silenced_.add(static_cast<double>(std::erase_if(alerts, [&](const auto& alert) {
    return silences_.mutes(alert->labels, entries.at(alert.get())->silences, now);
  })));
}

void Dispatcher::decide(Telling& telling, const std::vector<DeliveredAlertPtr>& alerts, Moment now) {
  AlertGroup& group = *telling.group;
  Fingerprints firing;
  Fingerprints resolved;
  auto notification = std::make_shared<Notification>();
  const bool sends_resolved = telling.pool->sends_resolved();
  for (const DeliveredAlertPtr& alert : alerts) {
    const bool over = alert->resolved_at(now.wall);
    (over ? resolved : firing).push_back(alert_fingerprint(alert->labels));
    if (!over || sends_resolved) notification->alerts.push_back(alert);
  }
  std::sort(firing.begin(), firing.end());
  std::sort(resolved.begin(), resolved.end());
  const ToldEntry* told = log_.find(telling.log_key);
  const ToldEntry* valid = told != nullptr && told->expires_at > now.wall ? told : nullptr;
  const std::uint64_t number = told == nullptr ? 0 : told->number;
  notification->id = notification_id(telling.log_key, number, notification->alerts, now.wall);
  if (telling.state == Telling::State::on_its_way && telling.notification->id != notification->id &&
      now.steady < telling.began + kLeastTime) {
    telling.overdue = true;
    return schedule(group, std::min(group.next_flush, telling.began + kLeastTime));
  }
  if (!needs_telling(valid, firing, resolved, sends_resolved, group.route->repeat_interval, now.wall)) {
    cancel(telling);
    telling.settled = group.flush;
    return;
  }
  if (notification->alerts.empty()) {  // nobody wants to know, but it is noted
    cancel(telling);
    log_.add(telling.log_key, std::move(firing), std::move(resolved), group.route->repeat_interval, now.wall);
    telling.settled = group.flush;
    return;
  }
  telling.firing = std::move(firing);
  telling.resolved = std::move(resolved);
  telling.flush = group.flush;
  if (telling.state != Telling::State::idle && telling.notification->id == notification->id) {
    if (telling.attempts > 0 && telling.state == Telling::State::backing_off) {
      telling.pool->failed("contextDeadlineExceeded").add();
    }
    return;  // it is being said
  }
  cancel(telling);
  notification->receiver = group.route->receiver;
  notification->group_key = group.key;
  notification->group_labels = group.labels;
  notification->now = now.wall;
  telling.notification = std::move(notification);
  telling.records = writer_.newest();
  telling.pool->notifications().add();
  start(telling, now);
}

/// Alerts that are over leave the group once each integration was told so, unless they came back.
void Dispatcher::settle(AlertGroup& group, TimestampMs now) {
  const bool settled = std::all_of(group.tellings.begin(), group.tellings.end(),
                                   [&](const auto& telling) { return telling->settled == group.flush; });
  if (!settled) return;
  for (const auto& [entry, alert] : std::exchange(group.ended, {})) {
    if (entry->alert == alert && group.alerts.erase(entry) > 0) book_.release(*entry, now);
  }
}

}  // namespace pipit
