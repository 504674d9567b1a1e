#include "rules/recording_rule.h"

#include <algorithm>

namespace pipit {
namespace {

bool has_duplicates(const std::vector<RuleSample>& samples) {
  if (samples.size() < 2) return false;
  std::vector<const Labels*> sorted;
  sorted.reserve(samples.size());
  for (const RuleSample& sample : samples) sorted.push_back(&sample.labels);
  std::sort(sorted.begin(), sorted.end(), [](const Labels* a, const Labels* b) { return *a < *b; });
  return std::adjacent_find(sorted.begin(), sorted.end(), [](const Labels* a, const Labels* b) { return *a == *b; }) !=
         sorted.end();
}

}  // namespace

Result<std::vector<RuleSample>> RecordingRule::evaluate(const RuleEvaluation& evaluation) {
  auto result = query_vector(evaluation, config().expression, evaluation.query_time());
  if (!result.ok()) return result.error();
  std::vector<RuleSample> samples;
  samples.reserve(result->series.size());
  for (const ResultSeries& series : result->series) {
    // Of equal names the last wins.
    std::vector<Label> labels = labels_of(*result, series.labels);
    labels.push_back({std::string(kMetricName), config().name});
    labels.insert(labels.end(), config().labels.begin(), config().labels.end());
    samples.push_back({Labels(std::move(labels)), series.values.front()});
  }
  if (has_duplicates(samples)) {
    return execution_error("vector contains metrics with the same labelset after applying rule labels");
  }
  if (evaluation.limit > 0 && samples.size() > evaluation.limit) {
    return execution_error("exceeded limit of " + std::to_string(evaluation.limit) + " with " +
                           std::to_string(samples.size()) + " series");
  }
  return samples;
}

}  // namespace pipit
