#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "model/duration.h"
#include "query/engine.h"
#include "query/thread_budget.h"
#include "rules/alert.h"
#include "rules/rule_group.h"

namespace pipit {

struct RuleManagerOptions {
  std::string external_url;
  DurationMs resend_delay = 60'000;
  DurationMs grace_period = 600'000;
  DurationMs outage_tolerance = 3'600'000;
  unsigned max_concurrent_evals = 4;  ///< never more than there are cores
  TimestampMs (*now)() = now_ms;      ///< the system's clock, which may jump
};

/// Evaluates the groups of `rule_files` when they are due. Its threads exist only while there are groups.
/// docs/rules.md. Thread-safe.
class RuleManager {
 public:
  /// All must outlive the manager; `sink` may be null.
  RuleManager(const Engine& engine, const Queryable& source, Appender& appender, MetricsRegistry& metrics,
              AlertSink* sink, RuleManagerOptions options);
  ~RuleManager();

  /// Reads the rule files of a configuration. Errors: all that is wrong with them.
  static Result<std::vector<RuleGroupConfig>> load(const Config& config);
  /// Makes the groups those that were loaded. Groups that stay as they are go on; of changed ones, rules that stay keep
  /// their state. REQUIRES: one call at a time.
  void apply(std::vector<RuleGroupConfig> groups, const Config& config);
  /// Ends all evaluation. No stale markers are written, as the rules go on after a restart.
  void stop();

  /// By file, then name. During `apply` those of before, whole, then those of after.
  std::vector<std::shared_ptr<RuleGroup>> groups() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Scheduled {
    std::shared_ptr<RuleGroup> group;
    TimestampMs slot = kMinTimestamp;  ///< the time of its next evaluation, once it is on the agenda
    int evaluations = 0;
    bool running = false;
    bool removed = false;
    TimestampMs stale_at = kMinTimestamp;  ///< of a removed group: what its stale markers say
  };
  using ScheduledPtr = std::shared_ptr<Scheduled>;

  bool retire(const std::vector<ScheduledPtr>& old);
  ScheduledPtr replacement(RuleGroupConfig config, const Scheduled* before,
                           std::shared_ptr<const RuleSurroundings> surroundings);
  void work();
  void run(Scheduled& scheduled);
  void schedule(const ScheduledPtr& scheduled);
  bool start_thread();

  const Engine& engine_;
  const RuleManagerOptions options_;
  const unsigned max_threads_;
  ThreadBudget helpers_;
  RuleGroupContext context_;
  bool applied_ = false;

  mutable std::mutex mutex_;
  std::condition_variable agenda_changed_;
  std::condition_variable finished_;  ///< a removed group isn't running any more
  bool stopping_ = false;
  std::vector<ScheduledPtr> groups_;                       ///< by file, then name
  std::multimap<Clock::time_point, ScheduledPtr> agenda_;  ///< those not running, by when they are due
  unsigned waiting_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace pipit
