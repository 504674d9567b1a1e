#pragma once

#include <optional>
#include <string>

#include "model/result.h"
#include "query/engine.h"
#include "tools/promql_script.h"

namespace pipit {

/// What a script expects and what came instead, as text for people; several lines for several series.
struct Mismatch {
  std::string expected;
  std::string got;
};

/// Compares the answer to an evaluation with what the script expects of it: failure, remarks, value. Nothing when they
/// agree. Values are equal within upstream's relative tolerance of 1e-6. Native histograms are left out of what is
/// expected, as the store has none.
std::optional<Mismatch> check_answer(const ScriptEvaluation& evaluation, const Result<QueryResult>& answer);

/// The same for the value alone.
std::optional<Mismatch> check_value(const ScriptEvaluation& evaluation, const QueryResult& answer);

}  // namespace pipit
