#pragma once

#include <memory>
#include <span>

#include "query/block.h"

namespace pipit {

/// Series of raw samples, one after another: what a range selector or a subquery gives to functions over ranges.
/// Fails through the query's context, as operators do.
class SampleStream {
 public:
  virtual ~SampleStream() = default;

  /// Moves to the next series with samples; false at the end and when the query has failed.
  virtual bool next() = 0;

  // Of the current series; good until the next call of next(). Without stale markers.
  virtual const RowLabels& labels() const = 0;
  virtual std::span<const TimestampMs> times() const = 0;
  virtual std::span<const double> values() const = 0;
};
using SampleStreamPtr = std::unique_ptr<SampleStream>;

}  // namespace pipit
