#pragma once

#include <string>
#include <vector>

namespace pipit {

extern const char* const kCheckMetricsUsage;

/// `pipit check metrics`: judges the page on standard input. `words` are the arguments behind `metrics`.
/// Returns the exit code.
int check_metrics(const std::vector<std::string>& words);

}  // namespace pipit
