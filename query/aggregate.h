#pragma once

#include "query/ast.h"
#include "query/operator.h"
#include "query/query_context.h"
#include "query/scalar_column.h"

namespace pipit {

/// sum, avg, count, min, max, group, stddev, stdvar: a state per group and step; series stream through.
OperatorPtr make_streaming_aggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input,
                                     const StepGrid& grid);

/// topk, bottomk, limitk: keep series. `k` by step; holds at most k samples a group and step.
OperatorPtr make_selecting_aggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input,
                                     const ScalarColumn& k, const StepGrid& grid);

/// limit_ratio: keeps the series whose hash says so; streams.
OperatorPtr make_limit_ratio(QueryContext& context, OperatorPtr input, ScalarColumn ratio, PositionRange position);

/// quantile: holds all samples.
OperatorPtr make_quantile_aggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input,
                                    ScalarColumn q, const StepGrid& grid, PositionRange position);

/// count_values: a series for every value; `label` takes its text.
OperatorPtr make_count_values(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input,
                              const std::string& label, const StepGrid& grid);

}  // namespace pipit
