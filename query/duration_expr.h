#pragma once

#include "model/result.h"
#include "query/ast.h"
#include "query/engine.h"

namespace pipit {

/// What a duration of the query text comes to, in milliseconds; may be negative. step() and range() are the query's.
Result<DurationMs> evaluate_duration(const DurationExpr& duration, const QueryRequest& request);
/// The same for a range or a subquery's step, which must be above 0.
Result<DurationMs> evaluate_positive_duration(const DurationExpr& duration, const QueryRequest& request);
/// The first of an expression's durations that comes to nothing usable, or OK.
Status check_durations(const Expr& expr, const QueryRequest& request);

}  // namespace pipit
