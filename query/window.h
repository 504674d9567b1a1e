#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "query/scalar_column.h"
#include "query/step_grid.h"

namespace pipit {

/// Where a range selector or subquery looks, seen from an evaluation time: (end - range, end], open on the left.
struct RangeWindow {
  DurationMs range = 0;
  DurationMs offset = 0;
  std::optional<TimestampMs> at;  ///< `@`: the evaluation time does not count
  /// How far samples are read beyond the range, for `anchored` and `smoothed`, which want its neighbours.
  DurationMs before = 0;
  DurationMs after = 0;

  TimestampMs end(TimestampMs evaluation_time) const { return at.value_or(evaluation_time) - offset; }
};

/// Whether times or durations are so far out (a hundred thousand years) that adding them up could overflow. No sample
/// is there.
bool reaches_too_far(const StepGrid& grid, const RangeWindow& window);

/// One series' samples with, for every step, the part of them that its window covers. Finding all windows costs one
/// pass over samples and steps, as both only grow.
struct Windows {
  std::span<const TimestampMs> times;
  std::span<const double> values;
  /// Step i covers samples [lo[i], hi[i]).
  std::vector<std::uint32_t> lo;
  std::vector<std::uint32_t> hi;
  StepGrid grid;
  RangeWindow window;

  std::size_t steps() const { return lo.size(); }
  TimestampMs end(std::size_t step) const { return window.end(grid.time(step)); }
  TimestampMs start(std::size_t step) const { return end(step) - window.range; }

  /// Sets the series. The spans must live while this is used.
  void assign(std::span<const TimestampMs> sample_times, std::span<const double> sample_values);
};

/// Sums of `values[lo[i], hi[i])` for every i, into `out`, in O(values + steps), without ever subtracting: a big value
/// that left the window leaves no trace. Short windows are summed one by one, to the same bits as upstream.
/// REQUIRES: lo and hi never decrease.
void window_sums(std::span<const double> values, std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi,
                 double* out);

}  // namespace pipit
