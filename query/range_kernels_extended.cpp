#include <algorithm>

#include "query/range_kernels.h"

namespace pipit {
namespace {

/// The samples that a window with `anchored` or `smoothed` looks at: those inside, the last one at or before its start,
/// and with `smoothed` the first one at or after its end, when they are not further away than the lookback.
struct ExtendedWindow {
  std::uint32_t first;
  std::uint32_t last;  ///< inclusive
  TimestampMs start;
  TimestampMs end;
};

/// Calls `emit(step, window)` for each window that has something to say.
template <class Emit>
void for_each_extended(const Windows& w, Emit emit) {
  for (std::size_t i = 0; i < w.steps(); ++i) {
    ExtendedWindow x{w.lo[i], w.hi[i], w.start(i), w.end(i)};  // `last` is one past the end for now
    if (x.first > 0 && w.times[x.first - 1] > x.start - w.window.before) --x.first;
    bool ends_on_sample = x.last > x.first && w.times[x.last - 1] == x.end;
    bool has_next = x.last < w.times.size() && w.times[x.last] <= x.end + w.window.after;
    if (w.window.after > 0 && !ends_on_sample && has_next) ++x.last;
    if (x.last == x.first) continue;
    --x.last;
    if (w.times[x.last] <= x.start || w.times[x.first] > x.end) continue;
    if (!w.may_go_on(x.last - x.first)) return;
    emit(i, x);
  }
}

/// The value at `t` between samples s and s + 1. A counter that was reset between them started from 0.
double interpolate(const Windows& w, std::uint32_t s, TimestampMs t, bool counter) {
  double before = w.values[s];
  double after = w.values[s + 1];
  if (counter && after < before) before = 0;
  return before +
         (after - before) * static_cast<double>(t - w.times[s]) / static_cast<double>(w.times[s + 1] - w.times[s]);
}

/// What counter resets between the window's edges hid.
double reset_correction(const Windows& w, const ExtendedWindow& x, double left, double right) {
  double correction = 0;
  double before = left;
  for (std::uint32_t s = x.first; s <= x.last; ++s) {
    if (w.times[s] <= x.start || w.times[s] >= x.end) continue;
    if (w.values[s] < before) correction += before;
    before = w.values[s];
  }
  return right < before ? correction + before : correction;
}

void extended_increase(const Windows& w, bool counter, bool per_second, RowOut out) {
  bool smoothed = w.window.after > 0;
  for_each_extended(w, [&](std::size_t i, const ExtendedWindow& x) {
    bool between_left = smoothed && w.times[x.first] < x.start;
    bool between_right = smoothed && x.last > x.first && w.times[x.last] > x.end;
    double left = between_left ? interpolate(w, x.first, x.start, counter) : w.values[x.first];
    double right = between_right ? interpolate(w, x.last - 1, x.end, counter) : w.values[x.last];
    double result = right - left;
    if (counter) result += reset_correction(w, x, left, right);
    if (per_second) result /= static_cast<double>(w.window.range) / 1000;
    out.set(i, result);
  });
}

void rate(const Windows& w, KernelArgs, RowOut out) { extended_increase(w, true, true, out); }
void increase(const Windows& w, KernelArgs, RowOut out) { extended_increase(w, true, false, out); }
void delta(const Windows& w, KernelArgs, RowOut out) { extended_increase(w, false, false, out); }

template <class Happened>
void count_events(const Windows& w, RowOut out, Happened happened) {
  for_each_extended(w, [&](std::size_t i, const ExtendedWindow& x) {
    double events = 0;
    for (std::uint32_t s = x.first; s < x.last; ++s) events += happened(w.values[s], w.values[s + 1]) ? 1 : 0;
    out.set(i, events);
  });
}

void changes(const Windows& w, KernelArgs, RowOut out) {
  count_events(w, out, [](double a, double b) { return a != b && !(a != a && b != b); });
}

void resets(const Windows& w, KernelArgs, RowOut out) {
  count_events(w, out, [](double a, double b) { return b < a; });
}

void smoothed_value(const Windows& w, KernelArgs, RowOut out) {
  for (std::size_t i = 0; i < w.steps(); ++i) {
    if (w.lo[i] == w.hi[i]) continue;
    std::uint32_t before = w.hi[i] - 1;
    bool has_next = w.hi[i] < w.times.size() && w.times[w.hi[i]] <= w.end(i) + w.window.after;
    out.set(i, has_next ? interpolate(w, before, w.end(i), false) : w.values[before]);
  }
}

constexpr RangeFunction kFunctions[] = {
    {"delta", delta}, {"increase", increase}, {"rate", rate}, {"changes", changes}, {"resets", resets},
};
constexpr std::size_t kSmoothedFunctions = 3;  // the first ones
constexpr RangeFunction kSmoothedSelector = {"smoothed", smoothed_value, true};

}  // namespace

const RangeFunction* find_extended_function(std::string_view name, RangeExtension extension) {
  std::span<const RangeFunction> known = kFunctions;
  if (extension == RangeExtension::smoothed) known = known.first(kSmoothedFunctions);
  auto found = std::find_if(known.begin(), known.end(), [&](const RangeFunction& f) { return f.name == name; });
  return found == known.end() ? nullptr : &*found;
}

std::string_view extended_function_names(RangeExtension extension) {
  return extension == RangeExtension::smoothed ? "delta, increase, rate" : "changes, delta, increase, rate, resets";
}

const RangeFunction& smoothed_selector() { return kSmoothedSelector; }

}  // namespace pipit
