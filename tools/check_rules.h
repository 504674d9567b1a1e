#pragma once

#include <set>
#include <string>
#include <vector>

#include "rules/rule_file.h"

namespace pipit {

extern const char* const kCheckRulesUsage;

/// `pipit check rules`, with what follows these words. Returns the exit code.
int check_rules(const std::vector<std::string>& words);

/// Rules that record the same series: one of them is a slip, or the series is overwritten. A line for each such set.
std::vector<std::string> duplicate_rules(const std::vector<RuleGroupConfig>& groups);

}  // namespace pipit
