#pragma once

#include <memory>
#include <vector>

#include "query/operator.h"

namespace pipit {

class FusedScan;
class QueryContext;
struct SeriesScan;

/// The scans of a query that have not begun. One of the same series over much the same time joins another: the series
/// are then read once, and each scan's rows are computed beside the others'.
class SharedScans {
 public:
  OperatorPtr add(QueryContext& context, SeriesScan scan);

 private:
  std::vector<std::weak_ptr<FusedScan>> waiting_;
};

}  // namespace pipit
