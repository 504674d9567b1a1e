#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "model/matcher.h"
#include "model/result.h"
#include "tools/rule_test_file.h"

namespace pipit {

struct RuleTestOptions {
  std::vector<Regex> run;  ///< names of tests to run; empty: all
  bool diff = false;
  bool debug = false;  ///< tells what the store has at the end of a test
  bool ignore_unknown_fields = false;
  const std::atomic<bool>* interrupted = nullptr;
};

/// How one test of a file went.
struct RuleTestOutcome {
  std::string name;
  std::vector<std::string> failures;
  std::vector<std::string> stored;   ///< with RuleTestOptions::debug: a line for each series with its points
  double seconds = 0;                ///< that it took
  std::vector<std::string> skipped;  ///< what could not be tested, as it needs native histograms
};

/// Runs a file's tests, each on a store of its own in a temporary folder. As promtool does it, all groups are evaluated
/// at the file's evaluation interval, from the start of the test to the last time that something is expected of, and
/// points of input series are there only from their time on.
///
/// Errors: the file or its rules can't be used, or no store can be made.
Result<std::vector<RuleTestOutcome>> run_rule_tests(const std::string& path, const RuleTestOptions& options);

}  // namespace pipit
