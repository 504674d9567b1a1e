#include "rules/rule_manager.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <tuple>

#include "model/duration.h"
#include "model/thread_without_signals.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// How long a thread sleeps at most, in case the clock is set.
constexpr DurationMs kLongestWait = 10'000;

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

RuleManager::RuleManager(const Engine& engine, const Queryable& source, Appender& appender, MetricsRegistry& metrics,
                         AlertSink* sink, RuleManagerOptions options)
    : engine_(engine),
      metrics_(metrics),
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
  const bool restored = std::exchange(applied_, true);
  std::unique_lock lock(mutex_);
  if (stopping_) return;
  std::map<std::pair<std::string, std::string>, ScheduledPtr> old;
  for (ScheduledPtr& each : groups_) old.emplace(std::pair(each->group->file(), each->group->name()), std::move(each));
  groups_.clear();
  for (RuleGroupConfig& each : configs) {
    if (each.interval == 0) each.interval = config.evaluation_interval;
    if (!each.query_offset) each.query_offset = config.rule_query_offset;
    auto known = old.extract(std::pair(each.file, each.name));
    if (!known.empty() && known.mapped()->group->is_same(each)) {
      known.mapped()->group->set_surroundings(surroundings);
      groups_.push_back(std::move(known.mapped()));
      continue;
    }
    auto scheduled = std::make_shared<Scheduled>();
    if (!known.empty()) retire(known.mapped(), lock, true);
    // A group whose alerts were not restored yet has nothing to lose by beginning anew.
    const bool as_restored = restored && (known.empty() || !known.mapped()->group->needs_restore());
    scheduled->group = std::make_shared<RuleGroup>(std::move(each), context_, surroundings, as_restored);
    if (!known.empty()) scheduled->group->take_over(*known.mapped()->group);
    agenda_.emplace(scheduled->group->slot_before(now_ms()) + scheduled->group->interval(), scheduled);
    groups_.push_back(std::move(scheduled));
  }
  for (auto& [key, gone] : old) retire(gone, lock, false);
  std::sort(groups_.begin(), groups_.end(), [](const ScheduledPtr& a, const ScheduledPtr& b) {
    return std::tie(a->group->file(), a->group->name()) < std::tie(b->group->file(), b->group->name());
  });
  if (threads_.empty() && !groups_.empty()) start_thread();
  changed_.notify_all();
  lock.unlock();
#ifdef __GLIBC__
  ::malloc_trim(0);  // of the files' trees
#endif
}

void RuleManager::retire(const ScheduledPtr& old, std::unique_lock<std::mutex>& lock, bool replaced) {
  old->removed = true;
  old->group->cancel();
  changed_.wait(lock, [&] { return !old->running; });
  std::erase_if(agenda_, [&](const auto& entry) { return entry.second == old; });
  if (replaced) return;
  // Meanwhile a group of another name may go on with its series.
  old->stale_at = now_ms();
  agenda_.emplace(old->stale_at + 2 * old->group->interval(), old);
}

void RuleManager::start_thread() {
  threads_.push_back(thread_without_signals([this] { work(); }));
}

void RuleManager::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const TimestampMs now = now_ms();
    const DurationMs wait = agenda_.empty() ? kLongestWait : agenda_.begin()->first - now;
    if (wait > 0) {
      ++waiting_;
      changed_.wait_for(lock, std::chrono::milliseconds(std::min(wait, kLongestWait)));
      --waiting_;
      continue;
    }
    auto due = agenda_.extract(agenda_.begin());
    const ScheduledPtr scheduled = std::move(due.mapped());
    const TimestampMs time = due.key();
    if (waiting_ == 0 && threads_.size() < max_threads_ && !agenda_.empty()) start_thread();
    scheduled->running = true;
    lock.unlock();
    run(*scheduled, time);
    lock.lock();
    scheduled->running = false;
    if (scheduled->removed) {
      changed_.notify_all();
    } else {
      schedule_next(scheduled, time);
    }
  }
}

void RuleManager::run(Scheduled& scheduled, TimestampMs time) {
  RuleGroup& group = *scheduled.group;
  if (scheduled.stale_at != kMinTimestamp) {
    group.mark_all_stale(scheduled.stale_at);
    return;
  }
  group.evaluate(time);
  // The first evaluation may have come before there was data.
  if (++scheduled.evaluations >= 2 && group.needs_restore()) group.restore(now_ms());
}

void RuleManager::schedule_next(const ScheduledPtr& scheduled, TimestampMs time) {
  RuleGroup& group = *scheduled->group;
  const DurationMs interval = group.interval();
  const TimestampMs now = now_ms();
  TimestampMs next = time + interval;
  if (now >= next + interval) {
    const auto missed = (now - next) / interval;
    group.count_missed(static_cast<std::uint64_t>(missed));
    next += missed * interval;
  } else if (next > now + interval) {  // the clock was set back
    next = group.slot_before(now) + interval;
  }
  agenda_.emplace(next, scheduled);
}

void RuleManager::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const ScheduledPtr& each : groups_) each->group->cancel();
    threads = std::move(threads_);
    threads_.clear();
    changed_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

std::vector<std::shared_ptr<RuleGroup>> RuleManager::groups() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<RuleGroup>> groups;
  for (const ScheduledPtr& each : groups_) groups.push_back(each->group);
  return groups;
}

}  // namespace pipit
