#pragma once

#include "query/operator.h"
#include "query/query_context.h"
#include "query/sample_stream.h"
#include "query/window.h"

namespace pipit {

/// The times at which a subquery evaluates its expression for all windows of `outer`: the multiples of `step` inside
/// the union of the windows, each open on the left. Count 0 when there are none.
StepGrid subquery_grid(const StepGrid& outer, const RangeWindow& window, DurationMs step);

/// Turns an evaluation on a subquery's grid into samples: the valid cells of each row.
SampleStreamPtr make_subquery_stream(QueryContext& context, OperatorPtr input, const StepGrid& grid);

}  // namespace pipit
