#pragma once

#include <functional>
#include <optional>

#include "query/ast.h"
#include "query/operator.h"
#include "query/query_context.h"
#include "query/row_function.h"
#include "query/window.h"

namespace pipit {

/// A scan of a selector's series in the store, each of which a function makes a row of.
struct SeriesScan {
  const VectorSelector* selector = nullptr;
  TimestampMs min_time = 0;  ///< inclusive, as is max_time
  TimestampMs max_time = 0;
  std::size_t steps = 0;  ///< cells of a row
  bool labels = true;     ///< else rows have none, which spares the store from reading them
  // See SelectRequest.
  bool newest_only = false;
  bool name_only = false;
  bool values = true;
  std::optional<ExtremeWindows> extreme = std::nullopt;
  bool drop_name = false;
  MakeRowFunction make_function;
  /// Called for each row, on the query's thread. May be empty.
  std::function<void(const LabelSet&)> on_row;
};

/// A scan of what the windows of a grid cover.
SeriesScan scan_of(const VectorSelector& selector, const StepGrid& grid, const RangeWindow& window);

/// Rows without a valid cell are left out. What the scan points to must outlive the operator. Scans of the same series
/// are put together, see SharedScans.
OperatorPtr make_series_scan(QueryContext& context, SeriesScan scan);
/// The same for itself alone.
OperatorPtr make_single_scan(QueryContext& context, SeriesScan scan);

}  // namespace pipit
