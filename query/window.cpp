#include "query/window.h"

#include <algorithm>

#include "query/compensated_sum.h"
#include "query/sliding_fold.h"

namespace pipit {

bool reaches_too_far(const StepGrid& grid, const RangeWindow& window) {
  auto far = [](DurationMs d) { return d > kFarAway || d < -kFarAway; };
  return far(grid.start) || far(grid.last()) || far(window.range) || far(window.offset) || far(window.at.value_or(0));
}

void count_until(std::span<const TimestampMs> times, TimestampMs bound, DurationMs step,
                 std::span<std::uint32_t> counts) {
  const std::size_t n = times.size();
  std::size_t past = 0;
  std::size_t jump = 0;  // how far the bound before moved
  for (std::uint32_t& count : counts) {
    const std::size_t guess = past + jump;
    if (guess <= n && (guess == 0 || times[guess - 1] <= bound) && (guess == n || times[guess] > bound)) {
      past = guess;
    } else {
      const std::size_t from = past;
      std::size_t reach = 8;  // doubled until it is far enough
      while (reach < n - past && times[past + reach] <= bound) {
        past += reach;
        reach *= 2;
      }
      const auto begin = times.begin() + static_cast<std::ptrdiff_t>(past);
      const auto end = times.begin() + static_cast<std::ptrdiff_t>(std::min(n, past + reach));
      past = static_cast<std::size_t>(std::upper_bound(begin, end, bound) - times.begin());
      jump = past - from;
    }
    count = static_cast<std::uint32_t>(past);
    bound += step;
  }
}

bool Windows::same_times(std::span<const TimestampMs> other) const {
  return !other.empty() && known_times_.size() == other.size() && known_times_.front() == other.front() &&
         known_times_.back() == other.back() && std::equal(other.begin(), other.end(), known_times_.begin());
}

void Windows::assign(std::span<const TimestampMs> sample_times, std::span<const double> sample_values) {
  times = sample_times;
  values = sample_values;
  if (same_times(sample_times)) return;
  ++generation;
  lo.resize(grid.count);
  hi.resize(grid.count);
  const DurationMs step = window.at ? 0 : grid.step;
  count_until(times, end(0), step, hi);
  count_until(times, start(0), step, lo);
  // To compare all times costs more than to find a few windows.
  constexpr std::size_t kFewSamplesAStep = 32;
  known_times_.clear();
  if (times.size() <= kFewSamplesAStep * steps()) known_times_.assign(times.begin(), times.end());
}

std::uint64_t Windows::samples() const {
  if (samples_generation_ != generation) {
    samples_generation_ = generation;
    samples_ = 0;
    for (std::size_t i = 0; i < steps(); ++i) samples_ += hi[i] > lo[i] ? hi[i] - lo[i] : 0;
  }
  return samples_;
}

/// Source: Prometheus, extrapolatedRate: up to the window's edges when the samples come near them, else by half an
/// average interval.
const Windows::Extents& Windows::extents() const {
  Extents& found = extents_;
  if (found.generation == generation) return found;
  found.generation = generation;
  const std::size_t padded = (steps() + 63) / 64 * 64;
  found.sampled.assign(padded, 1);
  found.to_start.assign(padded, 0);
  found.to_end.assign(padded, 0);
  found.enough.assign(mask_words(steps()), 0);
  for (std::size_t i = 0; i < steps(); ++i) {
    if (hi[i] < lo[i] + 2) continue;
    mask_set(found.enough.data(), i);
    const TimestampMs window_end = end(i);
    const TimestampMs first = times[lo[i]];
    const TimestampMs last = times[hi[i] - 1];
    double to_start = static_cast<double>(first - (window_end - window.range)) / 1000;
    double to_end = static_cast<double>(window_end - last) / 1000;
    const double sampled = static_cast<double>(last - first) / 1000;
    const double average = sampled / static_cast<double>(hi[i] - lo[i] - 1);
    const double threshold = average * 1.1;
    if (to_start >= threshold) to_start = average / 2;
    if (to_end >= threshold) to_end = average / 2;
    found.sampled[i] = sampled;
    found.to_start[i] = to_start;
    found.to_end[i] = to_end;
  }
  return found;
}

void window_sums(std::span<const double> values, std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi,
                 double* out) {
  sliding_fold<CompensatedSum>(
      values.size(), lo, hi, [&](CompensatedSum& sum, std::uint32_t s) { sum.add(values[s]); },
      [&](std::size_t i, const CompensatedSum& sum) { out[i] = sum.value(); });
}

}  // namespace pipit
