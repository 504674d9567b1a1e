#include <algorithm>
#include <cmath>

#include "query/compensated_sum.h"
#include "query/order_statistics.h"
#include "query/range_kernels.h"
#include "query/sliding_fold.h"

namespace pipit {
namespace {

/// Calls `emit(step, lo, hi)` for every window that has a sample.
template <class Emit>
void for_each_window(const Windows& w, Emit emit) {
  for (std::size_t i = 0; i < w.steps(); ++i) {
    if (w.lo[i] < w.hi[i]) emit(i, w.lo[i], w.hi[i]);
  }
}

double seconds(TimestampMs t) { return static_cast<double>(t) / 1000; }

void count_over_time(const Windows& w, KernelArgs, RowOut out) {
  for_each_window(w, [&](std::size_t i, std::uint32_t lo, std::uint32_t hi) { out.set(i, hi - lo); });
}

void present_over_time(const Windows& w, KernelArgs, RowOut out) {
  for_each_window(w, [&](std::size_t i, std::uint32_t, std::uint32_t) { out.set(i, 1); });
}

void first_over_time(const Windows& w, KernelArgs, RowOut out) {
  for_each_window(w, [&](std::size_t i, std::uint32_t lo, std::uint32_t) { out.set(i, w.values[lo]); });
}

void last_over_time(const Windows& w, KernelArgs, RowOut out) {
  for_each_window(w, [&](std::size_t i, std::uint32_t, std::uint32_t hi) { out.set(i, w.values[hi - 1]); });
}

void ts_of_first_over_time(const Windows& w, KernelArgs, RowOut out) {
  for_each_window(w, [&](std::size_t i, std::uint32_t lo, std::uint32_t) { out.set(i, seconds(w.times[lo])); });
}

void ts_of_last_over_time(const Windows& w, KernelArgs, RowOut out) {
  for_each_window(w, [&](std::size_t i, std::uint32_t, std::uint32_t hi) { out.set(i, seconds(w.times[hi - 1])); });
}

void sum_over_time(const Windows& w, KernelArgs, RowOut out) {
  window_sums(w.values, w.lo, w.hi, out.values);
  for_each_window(w, [&](std::size_t i, std::uint32_t, std::uint32_t) { mask_set(out.mask, i); });
}

/// A mean that can be put together from parts: a compensated sum for as long as it is finite, else a running mean.
struct MeanState {
  CompensatedMean mean;
  void merge(const MeanState& o) {
    if (o.mean.count == 0) return;
    if (mean.count == 0) {
      mean = o.mean;
      return;
    }
    double count = mean.count + o.mean.count;
    if (!mean.running && !o.mean.running) {
      CompensatedSum sum = mean.sum;
      sum.merge(o.mean.sum);
      if (!std::isinf(sum.sum) || std::isinf(mean.sum.sum) || std::isinf(o.mean.sum.sum)) {
        mean.sum = sum;
        mean.count = count;
        return;
      }
    }
    double left = mean.value();
    double right = o.mean.value();
    mean.running = true;
    mean.sum = {left * (mean.count / count) + right * (o.mean.count / count), 0};
    mean.count = count;
  }
};

void avg_over_time(const Windows& w, KernelArgs, RowOut out) {
  sliding_fold<MeanState>(
      w.values.size(), w.lo, w.hi, [&](MeanState& state, std::uint32_t s) { state.mean.add(w.values[s]); },
      [&](std::size_t i, const MeanState& state) { out.set(i, state.mean.value()); });
}

struct VarianceState {
  Variance variance;
  void merge(const VarianceState& o) {
    const Variance& b = o.variance;
    if (b.count == 0) return;
    if (variance.count == 0) {
      variance = b;
      return;
    }
    // Chan, Golub, LeVeque: combining two samples' means and sums of squares.
    Variance& a = variance;
    double count = a.count + b.count;
    double delta = (b.mean.sum + b.mean.lost) - (a.mean.sum + a.mean.lost);
    a.mean.add(delta * (b.count / count));
    a.squares.merge(b.squares);
    a.squares.add(delta * delta * (a.count * b.count / count));
    a.count = count;
  }
};

template <class Finish>
void variance_over_time(const Windows& w, RowOut out, Finish finish) {
  sliding_fold<VarianceState>(
      w.values.size(), w.lo, w.hi, [&](VarianceState& state, std::uint32_t s) { state.variance.add(w.values[s]); },
      [&](std::size_t i, const VarianceState& state) { out.set(i, finish(state.variance.value())); });
}

void stdvar_over_time(const Windows& w, KernelArgs, RowOut out) {
  variance_over_time(w, out, [](double variance) { return variance; });
}

void stddev_over_time(const Windows& w, KernelArgs, RowOut out) {
  variance_over_time(w, out, [](double variance) { return std::sqrt(variance); });
}

/// Whether a sample takes the place of an earlier one as the most extreme: `beats(a, b)` says it of numbers, and NaN
/// counts only when there is nothing else.
template <class Beats>
bool takes_over(double a, double b, Beats beats) {
  return std::isnan(b) || beats(a, b);  // false for a NaN a
}

/// Emits, for every window, which of its elements is the extreme. A queue holds the elements that can still become it,
/// most extreme first; each enters and leaves once. `at_least(a, b)`: element a takes over from b, which came before.
template <class AtLeast, class Emit>
void extreme_of_elements(std::span<const std::uint32_t> los, std::span<const std::uint32_t> his, AtLeast at_least,
                         Emit emit) {
  std::vector<std::uint32_t> queue;
  std::size_t head = 0;
  std::uint32_t entered = 0;
  for (std::size_t i = 0; i < los.size(); ++i) {
    const std::uint32_t lo = los[i];
    const std::uint32_t hi = his[i];
    if (lo >= hi) continue;
    for (entered = std::max(entered, lo); entered < hi; ++entered) {
      while (queue.size() > head && at_least(entered, queue.back())) queue.pop_back();
      queue.push_back(entered);
    }
    while (queue[head] < lo) ++head;
    emit(i, queue[head]);
  }
}

/// Emits, for every window, the index of its extreme sample.
template <class Beats, class Emit>
void extreme_of_windows(const Windows& w, Beats beats, Emit emit) {
  if (w.values.size() < 8 * w.steps()) {
    return extreme_of_elements(
        w.lo, w.hi, [&](std::uint32_t a, std::uint32_t b) { return takes_over(w.values[a], w.values[b], beats); },
        emit);
  }
  const Panes panes(w.lo, w.hi);
  std::vector<std::uint32_t> extremes(panes.size());
  for (std::size_t p = 0; p < panes.size(); ++p) {
    std::uint32_t best = panes.edges[p];
    for (std::uint32_t s = best + 1; s < panes.edges[p + 1]; ++s) {
      if (takes_over(w.values[s], w.values[best], beats)) best = s;
    }
    extremes[p] = best;
  }
  extreme_of_elements(
      panes.lo, panes.hi,
      [&](std::uint32_t a, std::uint32_t b) { return takes_over(w.values[extremes[a]], w.values[extremes[b]], beats); },
      [&](std::size_t i, std::uint32_t p) { emit(i, extremes[p]); });
}

// Of equal samples the first is the extreme one, as one can tell by 0 and -0; but the last says when it was.
constexpr auto kMore = [](double a, double b) { return a > b; };
constexpr auto kLess = [](double a, double b) { return a < b; };
constexpr auto kAtLeast = [](double a, double b) { return a >= b; };
constexpr auto kAtMost = [](double a, double b) { return a <= b; };

void max_over_time(const Windows& w, KernelArgs, RowOut out) {
  extreme_of_windows(w, kMore, [&](std::size_t i, std::uint32_t s) { out.set(i, w.values[s]); });
}

void min_over_time(const Windows& w, KernelArgs, RowOut out) {
  extreme_of_windows(w, kLess, [&](std::size_t i, std::uint32_t s) { out.set(i, w.values[s]); });
}

void ts_of_max_over_time(const Windows& w, KernelArgs, RowOut out) {
  extreme_of_windows(w, kAtLeast, [&](std::size_t i, std::uint32_t s) { out.set(i, seconds(w.times[s])); });
}

void ts_of_min_over_time(const Windows& w, KernelArgs, RowOut out) {
  extreme_of_windows(w, kAtMost, [&](std::size_t i, std::uint32_t s) { out.set(i, seconds(w.times[s])); });
}

void quantile_over_time(const Windows& w, KernelArgs args, RowOut out) {
  SlidingQuantile quantile(w.values);
  for_each_window(w, [&](std::size_t i, std::uint32_t lo, std::uint32_t hi) {
    if (w.may_go_on(hi - lo)) out.set(i, quantile.of_window(args[0].at(i), lo, hi));
  });
}

void mad_over_time(const Windows& w, KernelArgs, RowOut out) {
  SlidingQuantile medians(w.values);
  std::vector<double> deviations;
  for_each_window(w, [&](std::size_t i, std::uint32_t lo, std::uint32_t hi) {
    if (!w.may_go_on(hi - lo)) return;
    const double median = medians.of_window(0.5, lo, hi);
    deviations.clear();
    bool any_nan = false;
    for (std::uint32_t s = lo; s < hi; ++s) {
      deviations.push_back(std::fabs(w.values[s] - median));
      any_nan |= std::isnan(deviations.back());
    }
    out.set(i, any_nan ? std::nan("") : quantile_of_unsorted(0.5, deviations));
  });
}

constexpr RangeFunction kFunctions[] = {
    {"avg_over_time", avg_over_time},
    {"count_over_time", count_over_time},
    {"first_over_time", first_over_time, true},
    {"last_over_time", last_over_time, true},
    {"mad_over_time", mad_over_time},
    {"max_over_time", max_over_time},
    {"min_over_time", min_over_time},
    {"present_over_time", present_over_time},
    {"quantile_over_time", quantile_over_time},
    {"stddev_over_time", stddev_over_time},
    {"stdvar_over_time", stdvar_over_time},
    {"sum_over_time", sum_over_time},
    {"ts_of_first_over_time", ts_of_first_over_time},
    {"ts_of_last_over_time", ts_of_last_over_time},
    {"ts_of_max_over_time", ts_of_max_over_time},
    {"ts_of_min_over_time", ts_of_min_over_time},
};

}  // namespace

std::span<const RangeFunction> over_time_functions() { return kFunctions; }

}  // namespace pipit
