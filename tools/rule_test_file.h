#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "model/labels.h"
#include "model/result.h"
#include "model/sample.h"
#include "tools/script_series.h"

namespace pipit {

// A file of unit tests for rules, in promtool's format. Times are relative to the start of their test.

struct ExpectedAlert {
  Labels labels;  ///< with `alertname`
  Labels annotations;
};

struct AlertTest {
  DurationMs time = 0;
  std::string alert;
  std::string group;  ///< "": of all groups
  std::vector<ExpectedAlert> alerts;
};

struct ExpectedSample {
  Labels labels;
  double value = 0;
  bool is_histogram = false;
};

struct ExpressionTest {
  DurationMs time = 0;
  std::string expr;
  std::vector<ExpectedSample> samples;
};

struct RuleTest {
  std::string name;
  DurationMs interval = 0;  ///< of the series' points; 0: the evaluation interval
  TimestampMs start = 0;
  std::vector<ScriptSeries> series;
  std::vector<AlertTest> alert_tests;
  std::vector<ExpressionTest> expression_tests;
  Labels external_labels;
  std::string external_url;
};

struct RuleTestFile {
  std::vector<std::string> rule_files;  ///< patterns, joined with the folder of the file
  DurationMs evaluation_interval = 60'000;
  bool fuzzy_compare = false;
  std::vector<std::string> group_eval_order;
  std::vector<RuleTest> tests;
};

/// Errors: `FILE:LINE:COLUMN: what is wrong`. Source of keys and rules: Prometheus 3.14, cmd/promtool/unittest.go.
Result<RuleTestFile> load_rule_test_file(const std::string& path, bool ignore_unknown_fields);

}  // namespace pipit
