#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "rules/alert.h"
#include "rules/rule.h"
#include "rules/rule_template.h"
#include "storage/queryable.h"

namespace pipit {

/// Makes an alert of each element that its expression gives. Source: Prometheus 3.14, rules/alerting.go.
class AlertingRule final : public Rule {
 public:
  /// `restored` false: samples are stored only after `restore`.
  AlertingRule(RuleConfig config, bool restored);

  Result<std::vector<RuleSample>> evaluate(const RuleEvaluation& evaluation) override;
  void take_over(Rule& before) override;
  bool reads_all() const override { return templates_.asks_queries(); }
  std::vector<std::string> written_metrics() const override;

  /// Alerts that are pending or firing, by labels.
  std::vector<std::pair<Labels, Alert>> active() const;
  /// The gravest of them.
  AlertState state() const;

  /// Those to tell of now, of which it is remembered that they were told.
  std::vector<AlertNotice> due_notices(TimestampMs time, DurationMs resend_delay, DurationMs interval,
                                       const std::string& generator_url);

  struct RestoreOptions {
    TimestampMs now = 0;
    DurationMs outage_tolerance = 3'600'000;
    DurationMs grace_period = 600'000;
  };
  /// Sets since when alerts are active from what was stored before a restart.
  Status restore(const Queryable& source, const RestoreOptions& options);

 private:
  using Alerts = std::map<Labels, Alert>;

  Result<Alerts> expand(const RuleEvaluation& evaluation, const QueryResult& result);
  TemplateSurroundings template_surroundings(const RuleEvaluation& evaluation) const;
  /// Where evaluations go back in time alerts go with them, so that nothing waits for the clock to catch up; REQUIRES:
  /// the lock.
  void follow_clock(TimestampMs time);
  /// Whether it goes on to be told of; REQUIRES: the lock.
  bool settle(Alert& alert, bool present, TimestampMs time);
  Result<std::map<Labels, std::pair<TimestampMs, double>>> stored_states(const Queryable& source,
                                                                         const RestoreOptions& options) const;
  RuleSample state_sample(const Labels& labels, const Alert& alert) const;
  RuleSample for_state_sample(const Labels& labels, const Alert& alert) const;

  AlertTemplates templates_;  ///< of labels, then annotations
  Alerts alerts_;             ///< with resolved ones, for as long as they are told of
  TimestampMs last_time_ = kNever;
  bool restored_;           ///< of who evaluates, and so below
  std::string last_fault_;  ///< of a template
};

}  // namespace pipit
