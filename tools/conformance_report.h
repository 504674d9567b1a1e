#pragma once

#include <map>
#include <span>
#include <string>

#include "tools/promql_script_runner.h"

namespace pipit {

/// How many evaluations were skipped for which reason.
std::map<std::string, std::size_t> skipped_by_reason(std::span<const ScriptReport> reports);

/// How many evaluations passed although native histograms were left out of what they expect.
std::size_t passed_without_histograms(std::span<const ScriptReport> reports);

/// The page docs/conformance.md: how many evaluations of each script pass, and each that does not, with the reason.
std::string conformance_page(std::span<const ScriptReport> reports);

}  // namespace pipit
