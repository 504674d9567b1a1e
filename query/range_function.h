#pragma once

#include <optional>

#include "query/operator.h"
#include "query/query_context.h"
#include "query/range_kernels.h"
#include "query/sample_stream.h"

namespace pipit {

struct RangeFunctionCall {
  const RangeFunction* function = nullptr;
  std::vector<ScalarColumn> args;
  PositionRange range_position;     ///< of the range argument, for remarks
  PositionRange quantile_position;  ///< of the first argument of quantile_over_time
};

/// Applies a function of a range to every series of a stream.
OperatorPtr make_range_function(QueryContext& context, RangeFunctionCall call, SampleStreamPtr input,
                                const StepGrid& grid, const RangeWindow& window);

/// The same of a selector's series in the store.
OperatorPtr make_range_function(QueryContext& context, RangeFunctionCall call, const VectorSelector& selector,
                                const StepGrid& grid, const RangeWindow& window);

/// absent_over_time: 1 with `labels` at the steps at which no series has a sample in its window.
OperatorPtr make_absent_over_time(QueryContext& context, SampleStreamPtr input, const StepGrid& grid,
                                  const RangeWindow& window, LabelSet labels);

}  // namespace pipit
