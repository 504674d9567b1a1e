#pragma once

#include <functional>
#include <memory>
#include <span>

#include "model/result.h"
#include "model/sample.h"
#include "query/range_kernels.h"

namespace pipit {

/// Computes a row of a block from one series' samples. Keeps what is used again from series to series, so each thread
/// has one of its own.
class RowFunction {
 public:
  virtual ~RowFunction() = default;
  /// Samples as the store has them, stale markers included. `out` has no valid cell yet. An error ends the query.
  virtual Status compute(std::span<const TimestampMs> times, std::span<const double> values, RowOut out) = 0;
};
using MakeRowFunction = std::function<std::unique_ptr<RowFunction>()>;

}  // namespace pipit
