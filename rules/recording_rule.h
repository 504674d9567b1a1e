#pragma once

#include "rules/rule.h"

namespace pipit {

/// Stores what its expression gives as a metric. Source: Prometheus 3.14, rules/recording.go.
class RecordingRule final : public Rule {
 public:
  using Rule::Rule;
  Result<std::vector<RuleSample>> evaluate(const RuleEvaluation& evaluation) override;
};

}  // namespace pipit
