#pragma once

#include <functional>

#include "query/ast.h"
#include "query/operator.h"
#include "query/query_context.h"
#include "query/row_function.h"
#include "query/window.h"

namespace pipit {

/// A scan of a selector's series in the store, each of which a function makes a row of.
struct SeriesScan {
  const VectorSelector* selector = nullptr;
  StepGrid grid;
  RangeWindow window;
  bool labels = true;  ///< else rows have none, which spares the store from reading them
  // See SelectRequest.
  bool newest_only = false;
  bool name_only = false;
  bool values = true;
  bool drop_name = false;
  MakeRowFunction make_function;
  /// Called for each row, on the query's thread. May be empty.
  std::function<void(const LabelSet&)> on_row;
};

/// Rows without a valid cell are left out. What the scan points to must outlive the operator.
OperatorPtr make_series_scan(QueryContext& context, SeriesScan scan);

}  // namespace pipit
