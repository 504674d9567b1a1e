#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "query/block.h"
#include "query/interrupt.h"
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

/// For each of `counts`, how many of the ascending `times` are at or before `bound`, which grows by `step` >= 0 from
/// one to the next. Bounds are expected to be about equally many samples apart; where they are, one costs two
/// comparisons.
void count_until(std::span<const TimestampMs> times, TimestampMs bound, DurationMs step,
                 std::span<std::uint32_t> counts);

/// One series' samples with, for every step, the part of them that its window covers. Series with the same times, as
/// those of one target have, share what follows from times alone.
struct Windows {
  std::span<const TimestampMs> times;
  std::span<const double> values;
  /// Step i covers samples [lo[i], hi[i]).
  std::vector<std::uint32_t> lo;
  std::vector<std::uint32_t> hi;
  StepGrid grid;  ///< with `window` set once, before the first series
  RangeWindow window;
  /// May be null. Kernels whose cost is not that of reading the samples ask it from time to time.
  const Interrupt* interrupt = nullptr;
  /// Counts how often lo and hi changed: what was found from times is good while this stays.
  std::uint64_t generation = 0;

  std::size_t steps() const { return lo.size(); }
  TimestampMs end(std::size_t step) const { return window.end(grid.time(step)); }
  TimestampMs start(std::size_t step) const { return end(step) - window.range; }

  /// Sets the series. The spans must live while this is used.
  void assign(std::span<const TimestampMs> sample_times, std::span<const double> sample_values);

  /// Of each window of two samples or more, in seconds; of the others 1, 0, 0. As long as a multiple of 64 steps.
  struct Extents {
    std::vector<double> sampled;   ///< from the first sample to the last
    std::vector<double> to_start;  ///< how far a rate is extrapolated before the first sample, zero apart
    std::vector<double> to_end;    ///< and behind the last
    std::vector<MaskWord> enough;  ///< the windows of two samples or more
    std::uint64_t generation = 0;
  };
  const Extents& extents() const;

  /// How many samples all windows have together.
  std::uint64_t samples() const;

  /// Counts samples that a kernel looks at again and again; false when the query has to end.
  bool may_go_on(std::uint64_t samples) const {
    constexpr std::uint64_t kLookEvery = 1 << 20;
    work_ += samples;
    if (work_ < kLookEvery || interrupt == nullptr) return true;
    if (interrupt->due()) return false;
    work_ = 0;
    return true;
  }

 private:
  bool same_times(std::span<const TimestampMs> other) const;
  std::vector<TimestampMs> known_times_;  ///< those that lo and hi are of, or none when they are not kept
  mutable Extents extents_;
  mutable std::uint64_t samples_ = 0;
  mutable std::uint64_t samples_generation_ = 0;
  mutable std::uint64_t work_ = 0;
};

/// Sums of `values[lo[i], hi[i])` for every i, into `out`, in O(values + steps), without ever subtracting: a big value
/// that left the window leaves no trace. Short windows are summed one by one, to the same bits as upstream.
/// REQUIRES: lo and hi never decrease.
void window_sums(std::span<const double> values, std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi,
                 double* out);

}  // namespace pipit
