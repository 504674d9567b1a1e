#include <cmath>

#include "query/range_kernels.h"

namespace pipit {
namespace {

enum class Counter { no, yes };
enum class PerSecond { no, yes };

/// What a window's counter lost to resets: the value before each of them. Found once for all windows.
class ResetCorrections {
 public:
  explicit ResetCorrections(const Windows& w) : corrections_(w.steps(), 0.0) {
    for (std::uint32_t s = 1; s < w.values.size(); ++s) {
      if (w.values[s] < w.values[s - 1]) {
        at_.push_back(s);
        before_.push_back(w.values[s - 1]);
      }
    }
    if (at_.empty()) return;
    std::vector<std::uint32_t> lo(w.steps());
    std::vector<std::uint32_t> hi(w.steps());
    std::uint32_t first = 0;
    std::uint32_t past = 0;
    for (std::size_t i = 0; i < w.steps(); ++i) {
      while (past < at_.size() && at_[past] < w.hi[i]) ++past;
      // A reset between the last sample before the window and its first one is not the window's.
      while (first < past && at_[first] <= w.lo[i]) ++first;
      lo[i] = first;
      hi[i] = past;
    }
    window_sums(before_, lo, hi, corrections_.data());
  }
  double of(std::size_t step) const { return corrections_[step]; }

 private:
  std::vector<std::uint32_t> at_;
  std::vector<double> before_;
  std::vector<double> corrections_;
};

/// How much of the increase between a window's first and last sample the whole window is credited with.
/// Source: Prometheus, extrapolatedRate: up to the window's edges when the samples come near them, else by half an
/// average interval, and for a counter not back beyond the time at which it was zero.
double extrapolation_factor(const Windows& w, std::size_t step, double increase, bool counter) {
  std::uint32_t lo = w.lo[step];
  std::uint32_t hi = w.hi[step];
  TimestampMs end = w.end(step);
  double to_start = static_cast<double>(w.times[lo] - (end - w.window.range)) / 1000;
  double to_end = static_cast<double>(end - w.times[hi - 1]) / 1000;
  double sampled = static_cast<double>(w.times[hi - 1] - w.times[lo]) / 1000;
  double average = sampled / static_cast<double>(hi - lo - 1);
  double threshold = average * 1.1;
  if (to_start >= threshold) to_start = average / 2;
  if (counter && increase > 0 && w.values[lo] >= 0) {
    double to_zero = sampled * (w.values[lo] / increase);
    if (to_zero < to_start) to_start = to_zero;
  }
  if (to_end >= threshold) to_end = average / 2;
  return (sampled + to_start + to_end) / sampled;
}

void extrapolated(const Windows& w, Counter counter, PerSecond per_second, RowOut out) {
  bool is_counter = counter == Counter::yes;
  double range_seconds = static_cast<double>(w.window.range) / 1000;
  auto emit = [&](auto correction) {
    for (std::size_t i = 0; i < w.steps(); ++i) {
      if (w.hi[i] < w.lo[i] + 2) continue;
      double increase = w.values[w.hi[i] - 1] - w.values[w.lo[i]] + correction(i);
      double factor = extrapolation_factor(w, i, increase, is_counter);
      if (per_second == PerSecond::yes) factor /= range_seconds;
      out.set(i, increase * factor);
    }
  };
  if (is_counter) {
    ResetCorrections resets(w);
    emit([&](std::size_t i) { return resets.of(i); });
  } else {
    emit([](std::size_t) { return 0.0; });
  }
}

void rate(const Windows& w, KernelArgs, RowOut out) { extrapolated(w, Counter::yes, PerSecond::yes, out); }
void increase(const Windows& w, KernelArgs, RowOut out) { extrapolated(w, Counter::yes, PerSecond::no, out); }
void delta(const Windows& w, KernelArgs, RowOut out) { extrapolated(w, Counter::no, PerSecond::no, out); }

void irate(const Windows& w, KernelArgs, RowOut out) {
  for (std::size_t i = 0; i < w.steps(); ++i) {
    if (w.hi[i] < w.lo[i] + 2) continue;
    double last = w.values[w.hi[i] - 1];
    double before = w.values[w.hi[i] - 2];
    DurationMs interval = w.times[w.hi[i] - 1] - w.times[w.hi[i] - 2];
    out.set(i, (last < before ? last : last - before) / (static_cast<double>(interval) / 1000));
  }
}

void idelta(const Windows& w, KernelArgs, RowOut out) {
  for (std::size_t i = 0; i < w.steps(); ++i) {
    if (w.hi[i] >= w.lo[i] + 2) out.set(i, w.values[w.hi[i] - 1] - w.values[w.hi[i] - 2]);
  }
}

/// Counts the neighbours (before, after) inside each window for which `happened` holds, from prefix counts.
template <class Happened>
void count_events(const Windows& w, RowOut out, Happened happened) {
  std::vector<std::uint32_t> until(w.values.size() + 1, 0);  // until[s]: events at samples before s
  for (std::size_t s = 0; s < w.values.size(); ++s) {
    until[s + 1] = until[s] + (s > 0 && happened(w.values[s - 1], w.values[s]) ? 1 : 0);
  }
  for (std::size_t i = 0; i < w.steps(); ++i) {
    if (w.lo[i] < w.hi[i]) out.set(i, until[w.hi[i]] - until[w.lo[i] + 1]);
  }
}

void changes(const Windows& w, KernelArgs, RowOut out) {
  count_events(w, out, [](double a, double b) { return a != b && !(std::isnan(a) && std::isnan(b)); });
}

void resets(const Windows& w, KernelArgs, RowOut out) {
  count_events(w, out, [](double a, double b) { return b < a; });
}

constexpr RangeFunction kFunctions[] = {
    {"changes", changes}, {"delta", delta}, {"idelta", idelta}, {"increase", increase},
    {"irate", irate},     {"rate", rate},   {"resets", resets},
};

}  // namespace

std::span<const RangeFunction> rate_functions() { return kFunctions; }

}  // namespace pipit
