// Source of the rules: Alertmanager 0.28, dispatch/dispatch.go.

#include "delivery/dispatcher.h"

#include <algorithm>

#include "delivery/route.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

/// How often empty groups go, alerts are looked through and gauges are set.
constexpr std::int64_t kMaintenance = 15'000;
/// After news.
constexpr std::int64_t kSoonMaintenance = 2'000;
/// How often what nobody needs any more goes from the disk.
constexpr std::int64_t kGarbage = std::int64_t{15} * 60'000;

}  // namespace

Dispatcher::Dispatcher(MetricsRegistry& metrics, const DeliveryOptions& options, Seams seams)
    : metrics_(metrics),
      options_(options),
      seams_(std::move(seams)),
      writer_(
          [this](std::shared_ptr<const RecordWriter::Changes> changes, std::function<void(Status)> done) {
            seams_.write(std::move(changes), [this, done = std::move(done)](Status status) {
              done(std::move(status));
              seams_.wake();
            });
          },
          metrics),
      silences_(
          {.silences = options.max_silences, .bytes_each = options.max_silence_bytes, .retention = options.retention}),
      log_(writer_, options.retention),
      inhibition_(std::make_unique<Inhibition>(std::vector<InhibitRule>())),
      // A group's alerts fit into one record of the log.
      book_(
          writer_, {.alerts = std::min<std::size_t>(options.max_alerts, 120'000)},
          [this](AlertEntry& entry) { inhibition_->add(entry); },
          [this](AlertEntry& entry) { inhibition_->remove(entry); }),
      received_firing_(metrics.counter("alertmanager_alerts_received_total", "Alerts that were received.",
                                       {{"status", "firing"}, {"version", "v2"}})),
      received_resolved_(metrics.counter("alertmanager_alerts_received_total", "Alerts that were received.",
                                         {{"status", "resolved"}, {"version", "v2"}})),
      invalid_(metrics.counter("alertmanager_alerts_invalid_total",
                               "Alerts that were refused: for their labels, their size or want of room.",
                               {{"version", "v2"}})),
      silenced_(metrics.counter("alertmanager_notifications_suppressed_total", "Alerts that were not told of.",
                                {{"reason", "silence"}})),
      inhibited_(metrics.counter("alertmanager_notifications_suppressed_total", "Alerts that were not told of.",
                                 {{"reason", "inhibition"}})),
      muted_(metrics.counter("alertmanager_notifications_suppressed_total", "Alerts that were not told of.",
                             {{"reason", "mute_time_interval"}})),
      inactive_(metrics.counter("alertmanager_notifications_suppressed_total", "Alerts that were not told of.",
                                {{"reason", "active_time_interval"}})) {}

Dispatcher::~Dispatcher() { cancel_all(); }

/// What was told is noted before the rest is ended.
void Dispatcher::stop(Moment now) {
  look_at_finished(now);
  cancel_all();
}

void Dispatcher::cancel_all() {
  for (auto& [key, group] : groups_) {
    for (const auto& telling : group->tellings) cancel(*telling);
  }
}

Status Dispatcher::load(const RecordStore& records) {
  auto alerts = records.read_records("alert/");
  if (!alerts.ok()) return alerts.error();
  auto silences = records.read_records("silence/");
  if (!silences.ok()) return silences.error();
  auto told = records.read_records("told/");
  if (!told.ok()) return told.error();
  stored_alerts_ = std::move(*alerts);  // how long they go on is in the configuration
  const std::size_t unread = silences_.load(*silences) + log_.load(*told);
  if (unread > 0) log_warn("Records of delivery can't be read and are left out", {{"records", unread}});
  return {};
}

void Dispatcher::apply(DeliveryConfig config, Moment now) {
  look_at_finished(now);
  const bool first = config_ == nullptr;
  auto old_config = std::exchange(config_, std::make_unique<const DeliveryConfig>(std::move(config)));
  Groups old_groups = std::exchange(groups_, {});
  auto old_pools = std::exchange(pools_, {});
  flushes_.clear();
  inhibition_ = std::make_unique<Inhibition>(config_->inhibit_rules);
  for (const ReceiverConfig& receiver : config_->receivers) {
    pools_.emplace(receiver.name, make_pools(receiver, seams_.make, metrics_));
  }
  // Alerts that are over go on in their new groups only if their old ones had still to say so.
  book_.each([this](AlertEntry& entry) {
    entry.routes = matching_routes(config_->route, entry.alert->labels);
    inhibition_->add(entry);
  });
  if (first) {
    const std::size_t unread = book_.load(stored_alerts_, config_->defaults.resolve_timeout, now.wall);
    if (unread > 0) log_warn("Records of alerts can't be read and are left out", {{"records", unread}});
    std::exchange(stored_alerts_, {});
  }
  book_.each([&](AlertEntry& entry) {
    const bool wanted = first || entry.groups > 0 || !entry.alert->resolved_at(now.wall);
    entry.groups = 0;
    if (wanted) route(entry, now);
  });
  std::unordered_map<std::string, AlertGroup*> by_key;
  for (auto& [key, group] : groups_) {
    by_key.emplace(group->route->receiver + "/" + group->key, group.get());
    if (first) resume(*group, now);
  }
  for (auto& [key, group] : old_groups) {
    bool was_telling = false;
    for (const auto& telling : group->tellings) {
      was_telling = was_telling || telling->state != Telling::State::idle;
      cancel(*telling);
    }
    const auto fresh = by_key.find(group->route->receiver + "/" + group->key);
    if (fresh == by_key.end()) continue;
    adopt(*fresh->second, *group, was_telling, now);
    by_key.erase(fresh);
  }
  freed_.clear();
  next_maintenance_ = now.steady;
  std::size_t integrations = 0;
  for (const ReceiverConfig& receiver : config_->receivers) integrations += receiver.integrations.size();
  metrics_.gauge("alertmanager_receivers", "Receivers of the configuration.")
      .set(static_cast<double>(config_->receivers.size()));
  metrics_.gauge("alertmanager_integrations", "Entries of the receivers of the configuration.")
      .set(static_cast<double>(integrations));
}

/// Goes on with what is known of a group that had the same key. What was on its way to be told is told at once.
void Dispatcher::adopt(AlertGroup& group, const AlertGroup& old, bool was_telling, Moment now) {
  group.flushed = old.flushed;
  const std::int64_t latest = now.steady + (old.flushed ? group.route->group_interval : group.route->group_wait);
  schedule(group, was_telling ? now.steady : std::min(old.next_flush, latest));
}

/// A group of which an earlier process told each integration waits from then on.
void Dispatcher::resume(AlertGroup& group, Moment now) {
  TimestampMs told_at = now.wall;
  for (const auto& telling : group.tellings) {
    const ToldEntry* told = log_.find(telling->log_key);
    if (told == nullptr || told->expires_at <= now.wall) return;
    told_at = std::min(told_at, told->at);
  }
  if (group.tellings.empty()) return;
  group.flushed = true;
  const DurationMs interval = group.route->group_interval;
  schedule(group, now.steady + std::clamp<DurationMs>(told_at + interval - now.wall, 0, interval));
}

void Dispatcher::take(std::vector<AlertNotice> notices, Moment now) {
  for (AlertNotice& notice : notices) {
    const auto [taken, entry] = book_.take(std::move(notice), config_->defaults.resolve_timeout, now.wall);
    if (taken == AlertBook::Taken::refused) {
      invalid_.add();
      if (!std::exchange(complained_, true)) {
        log_warn("Alerts are refused: for labels that are no text, their size, or want of room",
                 {{"known_alerts", book_.size()}});
      }
      continue;
    }
    (entry->alert->resolved_at(now.wall) ? received_resolved_ : received_firing_).add();
    if (taken == AlertBook::Taken::unchanged) continue;
    inhibition_->note_change();
    route(*entry, now);
    next_maintenance_ = std::min(next_maintenance_, now.steady + kSoonMaintenance);
  }
}

void Dispatcher::route(AlertEntry& entry, Moment now) {
  if (entry.routes.empty()) entry.routes = matching_routes(config_->route, entry.alert->labels);
  for (const RouteConfig* each : entry.routes) {
    if (AlertGroup* group = group_for(*each, entry, now)) insert(*group, entry, now);
  }
}

/// Null when there are too many groups.
AlertGroup* Dispatcher::group_for(const RouteConfig& route, const AlertEntry& entry, Moment now) {
  Labels labels = group_labels(route, entry.alert->labels);
  auto key = std::pair(&route, std::move(labels));
  if (const auto known = groups_.find(key); known != groups_.end()) return known->second.get();
  if (groups_.size() >= 2 * options_.max_alerts) {
    if (!std::exchange(too_many_groups_, true)) log_error("There are too many groups of alerts; alerts are not told");
    return nullptr;
  }
  auto group = std::make_unique<AlertGroup>();
  group->route = &route;
  group->labels = key.second;
  group->key = route.key + ":" + label_set_text(group->labels);
  for (const auto& pool : pools_[route.receiver]) {
    auto telling = std::make_shared<Telling>();
    telling->group = group.get();
    telling->pool = pool.get();
    telling->log_key = group->key + ":" + pool->name();
    group->tellings.push_back(std::move(telling));
  }
  AlertGroup* made = groups_.emplace(std::move(key), std::move(group)).first->second.get();
  schedule(*made, now.steady + route.group_wait);
  return made;
}

void Dispatcher::insert(AlertGroup& group, AlertEntry& entry, Moment now) {
  if (group.alerts.insert(&entry).second) ++entry.groups;
  // An alert that has waited elsewhere, such as before a restart, need not do so once more.
  if (!group.flushed && entry.alert->starts_at + group.route->group_wait < now.wall) schedule(group, now.steady);
}

void Dispatcher::schedule(AlertGroup& group, std::int64_t at) {
  flushes_.erase({group.next_flush, &group});
  group.next_flush = at;
  flushes_.emplace(at, &group);
}

void Dispatcher::remove(Groups::iterator at, TimestampMs now) {
  AlertGroup& group = *at->second;
  for (const auto& telling : group.tellings) cancel(*telling);
  for (AlertEntry* entry : group.alerts) book_.release(*entry, now);
  flushes_.erase({group.next_flush, &group});
  groups_.erase(at);
}

std::int64_t Dispatcher::run(Moment now) {
  if (!config_) return kNoMoment;
  look_at_finished(now);
  while (!flushes_.empty() && flushes_.begin()->first <= now.steady) flush(*flushes_.begin()->second, now);
  while (!retries_.empty() && retries_.begin()->first <= now.steady) {
    Telling& telling = *retries_.begin()->second;
    retries_.erase(retries_.begin());
    telling.retry_at = kNoMoment;
    start(telling, now);
  }
  if (now.steady >= next_maintenance_) maintain(now);
  const std::int64_t next_write = writer_.run(now.steady);
  start_waiting(now);
  std::int64_t next = std::min(next_maintenance_, next_write);
  if (!flushes_.empty()) next = std::min(next, flushes_.begin()->first);
  if (!retries_.empty()) next = std::min(next, retries_.begin()->first);
  return next;
}

void Dispatcher::maintain(Moment now) {
  next_maintenance_ = now.steady + kMaintenance;
  for (auto it = groups_.begin(); it != groups_.end();) {
    const auto next = std::next(it);
    if (it->second->alerts.empty()) remove(it, now.wall);
    it = next;
  }
  too_many_groups_ = too_many_groups_ && groups_.size() >= 2 * options_.max_alerts;
  book_.maintain(now.wall);
  count_alerts(now.wall);
  if (now.steady < next_garbage_) return;
  next_garbage_ = now.steady + kGarbage;
  complained_ = false;
  std::set<std::string_view> used;
  for (const auto& [key, group] : groups_) {
    for (const auto& telling : group->tellings) used.insert(telling->log_key);
  }
  log_.collect_garbage(now.wall, [&](const std::string& key) { return used.contains(key); });
  for (std::string& key : silences_.collect_garbage(now.wall)) writer_.put(std::move(key), std::nullopt);
}

void Dispatcher::count_alerts(TimestampMs now) {
  std::size_t active = 0;
  std::size_t suppressed = 0;
  std::size_t unprocessed = 0;
  book_.each([&](AlertEntry& entry) {
    if (entry.alert->resolved_at(now)) return;
    ++(!entry.looked_at ? unprocessed : is_muted(entry, now) ? suppressed : active);
  });
  const auto set = [this](const char* name, const char* help, const Labels& labels, std::size_t value) {
    metrics_.gauge(name, help, labels).set(static_cast<double>(value));
  };
  set("alertmanager_alerts", "Alerts by state.", {{"state", "active"}}, active);
  set("alertmanager_alerts", "Alerts by state.", {{"state", "suppressed"}}, suppressed);
  set("alertmanager_alerts", "Alerts by state.", {{"state", "unprocessed"}}, unprocessed);
  for (const SilenceState state : {SilenceState::active, SilenceState::pending, SilenceState::expired}) {
    set("alertmanager_silences", "Silences by state.", {{"state", std::string(silence_state_name(state))}},
        silences_.count(state, now));
  }
  set("alertmanager_dispatcher_aggregation_groups", "Groups of alerts.", {}, groups_.size());
  set("alertmanager_nflog_entries", "Groups and integrations of which is known what was told.", {}, log_.size());
}

// ---- views

bool Dispatcher::is_muted(AlertEntry& entry, TimestampMs now) {
  return silences_.mutes(entry.alert->labels, entry.silences, now) ||
         inhibition_->inhibitor(entry.alert->labels, now) != nullptr;
}

AlertView Dispatcher::view_of(AlertEntry& entry, TimestampMs now) {
  AlertView view;
  view.alert = entry.alert;
  for (const RouteConfig* each : entry.routes) view.receivers.push_back(each->receiver);
  view.silenced_by = silences_.muting(entry.alert->labels, entry.silences, now);
  if (const AlertEntry* inhibitor = inhibition_->inhibitor(entry.alert->labels, now)) {
    std::string text(16, '0');
    for (std::size_t i = 0; i < 16; ++i) text[i] = "0123456789abcdef"[inhibitor->fingerprint >> (60 - 4 * i) & 15];
    view.inhibited_by.push_back(std::move(text));
  }
  return view;
}

std::vector<AlertView> Dispatcher::alert_views(TimestampMs now) {
  std::vector<AlertView> views;
  book_.each([&](AlertEntry& entry) {
    if (!entry.alert->resolved_at(now)) views.push_back(view_of(entry, now));
  });
  return views;
}

std::vector<AlertGroupView> Dispatcher::group_views(TimestampMs now) {
  std::vector<AlertGroupView> views;
  for (const auto& [key, group] : groups_) {
    AlertGroupView view{group->labels, group->route->receiver, {}};
    bool inactive = false;
    const std::vector<std::string> muted_by = muting_intervals(*group->route, now, inactive);
    for (AlertEntry* entry : group->alerts) {
      if (entry->alert->resolved_at(now)) continue;
      view.alerts.push_back(view_of(*entry, now));
      view.alerts.back().muted_by = muted_by;
    }
    if (view.alerts.empty()) continue;
    std::sort(view.alerts.begin(), view.alerts.end(),
              [](const AlertView& a, const AlertView& b) { return a.alert->labels < b.alert->labels; });
    views.push_back(std::move(view));
  }
  std::sort(views.begin(), views.end(), [](const AlertGroupView& a, const AlertGroupView& b) {
    return std::tie(a.labels, a.receiver) < std::tie(b.labels, b.receiver);
  });
  return views;
}

std::vector<IntegrationView> Dispatcher::integration_views() const {
  std::vector<IntegrationView> views;
  for (const ReceiverConfig& receiver : config_->receivers) {
    for (const auto& pool : pools_.at(receiver.name)) views.push_back(pool->view());
  }
  return views;
}

}  // namespace pipit
