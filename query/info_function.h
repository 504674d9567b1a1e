#pragma once

#include "query/ast.h"
#include "query/operator.h"
#include "query/query_context.h"
#include "query/window.h"

namespace pipit {

/// info(): adds labels of info series (`target_info` when `selector`, which may be null, names no other) to the series
/// with the same `instance` and `job`. `window` says as of when info series are looked up. `selector` must outlive it.
OperatorPtr make_info(QueryContext& context, OperatorPtr base, const VectorSelector* selector, const StepGrid& grid,
                      const RangeWindow& window);

}  // namespace pipit
