#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/rule_file.h"

namespace pipit {

extern const char* const kCheckRulesUsage;

/// `pipit check rules`, with what follows these words. Returns the exit code.
int check_rules(const std::vector<std::string>& words);

/// What else is looked for than faults.
struct LintOptions {
  bool duplicate_rules = true;
  bool too_long_scrape_interval = false;
  bool fatal = false;
  static constexpr int kFatalCode = 3;  ///< exit code
};
/// Reads `--lint`'s list of words. Empty when all is well, else what is wrong with it.
std::string read_lint(std::string_view list, LintOptions& options);

/// Rules that record the same series: one of them is a slip, or the series is overwritten. A line for each such set.
std::vector<std::string> duplicate_rules(const std::vector<RuleGroupConfig>& groups);

}  // namespace pipit
