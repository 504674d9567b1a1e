#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "query/thread_budget.h"
#include "rules/alert.h"
#include "rules/rule.h"
#include "storage/appender.h"
#include "storage/queryable.h"
#include "telemetry/metrics.h"

namespace pipit {

/// What all groups share. All of it must outlive them.
struct RuleGroupContext {
  Appender& appender;
  const Queryable& source;
  MetricsRegistry& metrics;
  AlertSink* sink = nullptr;  ///< may be null
  DurationMs resend_delay = 60'000;
  DurationMs grace_period = 600'000;
  DurationMs outage_tolerance = 3'600'000;
  ThreadBudget* helpers = nullptr;  ///< threads beside the one that evaluates; may be null
};

/// A rule group at work. One thread at a time evaluates; everything else may be called by any thread.
class RuleGroup {
 public:
  /// Rules whose alerts are `restored` store samples at once. REQUIRES: config.interval > 0.
  RuleGroup(RuleGroupConfig config, const RuleGroupContext& context,
            std::shared_ptr<const RuleSurroundings> surroundings, bool restored);
  ~RuleGroup();
  RuleGroup(const RuleGroup&) = delete;

  /// The last scheduled time that is not after `now`.
  TimestampMs slot_before(TimestampMs now) const;
  /// Evaluates all rules as of `time`, stores their samples and sends their alerts.
  void evaluate(TimestampMs time);
  /// Looks up since when alerts are active.
  void restore(TimestampMs now);
  bool needs_restore() const { return !restored_; }
  /// Ends a running evaluation soon; there will be no other.
  void cancel() { canceled_ = true; }
  /// Takes state from the group that this one replaces, and which is not evaluated any more.
  void take_over(RuleGroup& before);
  /// Writes stale markers for all series of a group that is gone.
  void mark_all_stale(TimestampMs time);
  void count_missed(std::uint64_t slots) {
    missed_ += slots;
    iterations_ += slots;
  }

  /// Whether the group does the same as one of this configuration would.
  bool is_same(const RuleGroupConfig& config) const;
  /// From the next evaluation on.
  void set_surroundings(std::shared_ptr<const RuleSurroundings> surroundings);

  const std::string& file() const { return file_; }
  const std::string& name() const { return name_; }
  DurationMs interval() const { return interval_; }
  std::uint64_t limit() const { return limit_; }
  const std::vector<std::unique_ptr<Rule>>& rules() const { return rules_; }
  double last_duration_seconds() const { return last_duration_; }
  /// When the last evaluation began; kMinTimestamp before the first.
  TimestampMs last_evaluation() const { return last_evaluation_; }

 private:
  void register_metrics();
  void evaluate_level(const std::vector<std::uint32_t>& level, TimestampMs time, const RuleSurroundings& surroundings);
  void evaluate_rule(Rule& rule, TimestampMs time, const RuleSurroundings& surroundings);
  void store(Rule& rule, const std::vector<RuleSample>& samples, TimestampMs time, RuleStatus& status);
  void tell_alerts(Rule& rule, TimestampMs time, const RuleSurroundings& surroundings);

  const std::string file_;
  const std::string name_;
  const DurationMs interval_;
  const DurationMs query_offset_;
  const std::uint64_t limit_;
  const RuleGroupContext& context_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<std::vector<std::uint32_t>> levels_;
  std::vector<SeriesRef> left_over_;  ///< series of rules that a reload has removed
  bool restored_;
  std::atomic<bool> canceled_{false};

  std::mutex surroundings_mutex_;
  std::shared_ptr<const RuleSurroundings> surroundings_;

  Histogram& rule_seconds_;
  Histogram& group_seconds_;
  std::atomic<double> last_duration_{0};
  std::atomic<double> rule_seconds_sum_{0};
  std::atomic<double> restore_seconds_{0};
  std::atomic<TimestampMs> last_evaluation_{kMinTimestamp};
  std::atomic<std::uint64_t> last_samples_{0};
  std::atomic<std::uint64_t> iterations_{0};
  std::atomic<std::uint64_t> missed_{0};
  std::atomic<std::uint64_t> evaluations_{0};
  std::atomic<std::uint64_t> failures_{0};
};

}  // namespace pipit
