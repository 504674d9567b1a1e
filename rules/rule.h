#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "model/labels.h"
#include "query/engine.h"
#include "rules/rule_file.h"
#include "storage/appender.h"

namespace pipit {

/// What a rule knows of the program around it, besides time.
struct RuleSurroundings {
  const Engine& engine;
  Labels external_labels;
  std::string external_url;  ///< without a slash at its end
};

/// One evaluation of a rule.
struct RuleEvaluation {
  const RuleSurroundings& surroundings;
  TimestampMs time = 0;
  DurationMs query_offset = 0;
  std::uint64_t limit = 0;  ///< 0: none
  const std::atomic<bool>* canceled = nullptr;

  TimestampMs query_time() const { return time - query_offset; }
};

struct RuleSample {
  Labels labels;
  double value = 0;
};

enum class RuleHealth { unknown, ok, err };

struct RuleStatus {
  RuleHealth health = RuleHealth::unknown;
  std::string last_error;
  double evaluation_seconds = 0;
  TimestampMs last_evaluation = kMinTimestamp;
};

/// A rule at work. `evaluate` is called by one thread at a time, all const functions by any.
class Rule {
 public:
  explicit Rule(RuleConfig config) : config_(std::move(config)) {}
  virtual ~Rule() = default;
  Rule(const Rule&) = delete;

  /// The samples that the rule stores.
  virtual Result<std::vector<RuleSample>> evaluate(const RuleEvaluation& evaluation) = 0;
  /// Goes on where `before` stopped, a rule of the same kind.
  virtual void take_over(Rule& before);
  /// Whether it may read any metric, through its templates.
  virtual bool reads_all() const { return false; }
  /// Names of the metrics that it stores.
  virtual std::vector<std::string> written_metrics() const { return {config_.name}; }

  const RuleConfig& config() const { return config_; }

  RuleStatus status() const;
  void set_status(RuleStatus status);

  /// The series that it stored last, ascending. Of who evaluates.
  std::vector<SeriesRef> stored_series;

 protected:
  /// Evaluates an expression to a vector; a scalar is one of one sample.
  static Result<QueryResult> query_vector(const RuleEvaluation& evaluation, const std::string& text, TimestampMs time);

  mutable std::mutex mutex_;  ///< of the status and, in alerting rules, the alerts

 private:
  const RuleConfig config_;
  RuleStatus status_;
};

/// The labels of a row of an answer.
std::vector<Label> labels_of(const QueryResult& result, const LabelSet& labels);

}  // namespace pipit
