#include "rules/rule_manager.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <tuple>

#include "model/thread_without_signals.h"
#include "rules/rule_slot.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// A year; intervals may be longer than the clock's nanoseconds can count.
constexpr DurationMs kLongestWait = DurationMs{365} * 24 * 3600 * 1000;

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

RuleManager::RuleManager(const Engine& engine, const Queryable& source, Appender& appender, MetricsRegistry& metrics,
                         AlertSink* sink, RuleManagerOptions options)
    : engine_(engine),
      options_(std::move(options)),
      max_threads_(std::clamp(options_.max_concurrent_evals, 1u, std::max(1u, std::thread::hardware_concurrency()))),
      helpers_(max_threads_ - 1),
      context_{appender, source, metrics, sink, options_.resend_delay, options_.grace_period, options_.outage_tolerance,
               &helpers_} {}

RuleManager::~RuleManager() { stop(); }

Result<std::vector<RuleGroupConfig>> RuleManager::load(const Config& config) {
  RuleFiles read;
  load_rule_files(config.rule_files, {.legacy_names = config.legacy_names}, read);
  for (const std::string& warning : read.warnings) log_warn(warning);
  if (read.ok()) return std::move(read.groups);
  std::string message = read.faults.front();
  constexpr std::size_t kMostFaults = 20;
  for (std::size_t i = 1; i < read.faults.size() && i < kMostFaults; ++i) message += "\n" + read.faults[i];
  return bad_data(std::move(message));
}

void RuleManager::apply(std::vector<RuleGroupConfig> configs, const Config& config) {
  const auto surroundings = std::make_shared<const RuleSurroundings>(
      RuleSurroundings{engine_, config.external_labels, without_slash(options_.external_url)});
  std::map<std::pair<std::string, std::string>, ScheduledPtr> old;
  // Nobody else changes the list.
  for (const ScheduledPtr& each : groups_) old.emplace(std::pair(each->group->file(), each->group->name()), each);
  std::vector<ScheduledPtr> kept;
  std::vector<std::pair<RuleGroupConfig, ScheduledPtr>> changed;  // with what they replace, or null
  std::vector<ScheduledPtr> retired;
  for (RuleGroupConfig& each : configs) {
    if (each.interval == 0) each.interval = config.evaluation_interval;
    if (!each.query_offset) each.query_offset = config.rule_query_offset;
    auto known = old.extract(std::pair(each.file, each.name));
    if (!known.empty() && known.mapped()->group->is_same(each)) {
      kept.push_back(std::move(known.mapped()));
      continue;
    }
    if (!known.empty()) retired.push_back(known.mapped());
    changed.emplace_back(std::move(each), known.empty() ? nullptr : std::move(known.mapped()));
  }
  for (const auto& [key, gone] : old) retired.push_back(gone);
  // Meanwhile the old groups are shown, with their alerts.
  if (!retire(retired)) return;
  std::vector<ScheduledPtr> groups = kept;
  for (auto& [each, before] : changed) groups.push_back(replacement(std::move(each), before.get(), surroundings));
  applied_ = true;
  std::sort(groups.begin(), groups.end(), [](const ScheduledPtr& a, const ScheduledPtr& b) {
    return std::tie(a->group->file(), a->group->name()) < std::tie(b->group->file(), b->group->name());
  });
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    for (const ScheduledPtr& each : kept) each->group->set_surroundings(surroundings);
    for (const ScheduledPtr& each : groups) {
      if (each->slot == kMinTimestamp) schedule(each);
    }
    for (const auto& [key, gone] : old) {
      // Meanwhile a group of another name may go on with its series.
      gone->stale_at = options_.now();
      const DurationMs wait = std::min(2 * gone->group->interval(), kLongestWait);
      agenda_.emplace(Clock::now() + std::chrono::milliseconds(wait), gone);
    }
    groups_ = std::move(groups);
    if (threads_.empty() && !groups_.empty() && !start_thread()) {
      log_error("No rule is evaluated: the system has no thread to give");
    }
    agenda_changed_.notify_all();
  }
  changed.clear();
  retired.clear();
#ifdef __GLIBC__
  ::malloc_trim(0);  // of the files' trees
#endif
}

/// Ends the evaluation of groups. False when the program ends.
bool RuleManager::retire(const std::vector<ScheduledPtr>& old) {
  std::unique_lock lock(mutex_);
  for (const ScheduledPtr& each : old) {
    each->removed = true;
    each->group->cancel();
  }
  std::erase_if(agenda_,
                [](const auto& entry) { return entry.second->removed && entry.second->stale_at == kMinTimestamp; });
  finished_.wait(lock, [&] {
    return stopping_ || std::none_of(old.begin(), old.end(), [](const ScheduledPtr& each) { return each->running; });
  });
  return !stopping_;
}

/// A new group, with the state of the one that it replaces, which is not evaluated any more; `before` may be null.
RuleManager::ScheduledPtr RuleManager::replacement(RuleGroupConfig config, const Scheduled* before,
                                                   std::shared_ptr<const RuleSurroundings> surroundings) {
  // A group whose alerts were not restored yet has nothing to lose by beginning anew.
  const bool restored = applied_ && (before == nullptr || !before->group->needs_restore());
  auto scheduled = std::make_shared<Scheduled>();
  scheduled->group = std::make_shared<RuleGroup>(std::move(config), context_, std::move(surroundings), restored);
  if (before != nullptr) scheduled->group->take_over(*before->group);
  return scheduled;
}

bool RuleManager::start_thread() {
  std::thread thread = try_thread_without_signals([this] { work(); });
  if (!thread.joinable()) return false;
  threads_.push_back(std::move(thread));
  return true;
}

void RuleManager::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const Clock::time_point due = agenda_.empty() ? Clock::time_point::max() : agenda_.begin()->first;
    if (due > Clock::now()) {
      ++waiting_;
      if (agenda_.empty()) {
        agenda_changed_.wait(lock);
      } else {
        agenda_changed_.wait_until(lock, due);
      }
      --waiting_;
      continue;
    }
    const ScheduledPtr scheduled = std::move(agenda_.extract(agenda_.begin()).mapped());
    if (scheduled->stale_at == kMinTimestamp) {
      const SlotNow now = slot_now(scheduled->slot, scheduled->group->interval(), options_.now());
      scheduled->slot = now.slot;
      scheduled->group->count_missed(now.missed);
      if (now.wait > 0) {
        schedule(scheduled);
        continue;
      }
    }
    // Somebody must watch over the rest, whose next may be due before the thread that waits would look.
    if (!agenda_.empty()) {
      if (waiting_ > 0) {
        agenda_changed_.notify_one();
      } else if (threads_.size() < max_threads_) {
        start_thread();
      }
    }
    scheduled->running = true;
    lock.unlock();
    run(*scheduled);
    lock.lock();
    scheduled->running = false;
    if (scheduled->removed) {
      finished_.notify_all();
    } else {
      scheduled->slot += scheduled->group->interval();
      schedule(scheduled);
    }
  }
}

void RuleManager::run(Scheduled& scheduled) {
  RuleGroup& group = *scheduled.group;
  if (scheduled.stale_at != kMinTimestamp) {
    group.mark_all_stale(scheduled.stale_at);
    return;
  }
  group.evaluate(scheduled.slot);
  // The first evaluation may have come before there was data.
  if (++scheduled.evaluations >= 2 && group.needs_restore()) group.restore(options_.now());
}

/// Puts a group that isn't running on the agenda, for its slot. REQUIRES: the lock.
void RuleManager::schedule(const ScheduledPtr& scheduled) {
  const RuleGroup& group = *scheduled->group;
  const TimestampMs now = options_.now();
  if (scheduled->slot == kMinTimestamp) scheduled->slot = group.slot_before(now) + group.interval();
  // Never longer than an interval, whatever the clock says.
  const DurationMs wait = std::clamp<DurationMs>(scheduled->slot - now, 0, std::min(group.interval(), kLongestWait));
  agenda_.emplace(Clock::now() + std::chrono::milliseconds(wait), scheduled);
}

void RuleManager::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const ScheduledPtr& each : groups_) each->group->cancel();
    threads = std::move(threads_);
    threads_.clear();
    agenda_changed_.notify_all();
    finished_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

std::vector<std::shared_ptr<RuleGroup>> RuleManager::groups() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<RuleGroup>> groups;
  groups.reserve(groups_.size());
  for (const ScheduledPtr& each : groups_) groups.push_back(each->group);
  return groups;
}

}  // namespace pipit
