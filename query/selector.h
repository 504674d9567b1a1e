#pragma once

#include "query/operator.h"
#include "query/query_context.h"
#include "query/sample_stream.h"
#include "query/window.h"

namespace pipit {

/// What a selector's value at a step is made of.
enum class SelectorValue { sample, timestamp };

/// An instant selector: for every step the newest sample of (t - lookback, t], unless it is a stale marker.
/// `window.range` is the lookback. With SelectorValue::timestamp the values are the samples' times in seconds.
/// Without `labels` the rows have none, which spares the store from reading them.
/// `selector` must outlive the operator, as must the context.
OperatorPtr make_vector_selector(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                                 const RangeWindow& window, SelectorValue value, bool labels = true);

/// A range selector: the samples that any step's window covers, in one piece.
SampleStreamPtr make_range_selector(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                                    const RangeWindow& window);

}  // namespace pipit
