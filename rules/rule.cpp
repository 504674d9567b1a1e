#include "rules/rule.h"

namespace pipit {

void Rule::take_over(Rule& before) {
  stored_series = std::move(before.stored_series);
  set_status(before.status());
}

RuleStatus Rule::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Rule::set_status(RuleStatus status) {
  const std::lock_guard lock(mutex_);
  status_ = std::move(status);
}

Result<QueryResult> Rule::query_vector(const RuleEvaluation& evaluation, const std::string& text, TimestampMs time) {
  QueryRequest request;
  request.expr = text;
  request.start = request.end = time;
  request.canceled = evaluation.canceled;
  auto result = evaluation.surroundings.engine.query(request);
  if (result.ok() && result->type != ResultType::vector && result->type != ResultType::scalar) {
    return execution_error("rule result is not a vector or scalar");
  }
  return result;
}

std::vector<Label> labels_of(const QueryResult& result, const LabelSet& labels) {
  std::vector<Label> out;
  out.reserve(labels.size() + 4);
  for (const LabelPair& label : labels) {
    out.push_back({std::string(result.symbols->text(label.name)), std::string(result.symbols->text(label.value))});
  }
  return out;
}

}  // namespace pipit
