#include "query/window.h"

#include "query/compensated_sum.h"
#include "query/sliding_fold.h"

namespace pipit {

bool reaches_too_far(const StepGrid& grid, const RangeWindow& window) {
  auto far = [](DurationMs d) { return d > kFarAway || d < -kFarAway; };
  return far(grid.start) || far(grid.last()) || far(window.range) || far(window.offset) || far(window.at.value_or(0));
}

void Windows::assign(std::span<const TimestampMs> sample_times, std::span<const double> sample_values) {
  times = sample_times;
  values = sample_values;
  lo.resize(grid.count);
  hi.resize(grid.count);
  std::uint32_t first = 0;
  std::uint32_t past = 0;
  auto samples = static_cast<std::uint32_t>(times.size());
  for (std::size_t i = 0; i < grid.count; ++i) {
    TimestampMs window_end = end(i);
    TimestampMs window_start = window_end - window.range;
    while (past < samples && times[past] <= window_end) ++past;
    while (first < past && times[first] <= window_start) ++first;
    lo[i] = first;
    hi[i] = past;
  }
}

void window_sums(std::span<const double> values, std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi,
                 double* out) {
  sliding_fold<CompensatedSum>(
      values.size(), lo, hi, [&](CompensatedSum& sum, std::uint32_t s) { sum.add(values[s]); },
      [&](std::size_t i, const CompensatedSum& sum) { out[i] = sum.value(); });
}

}  // namespace pipit
