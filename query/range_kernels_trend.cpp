#include <cmath>

#include "query/compensated_sum.h"
#include "query/range_kernels.h"
#include "query/sliding_fold.h"

namespace pipit {
namespace {

/// Least squares over a window's samples: means, and sums of products around the means, which can be put together from
/// parts. x is in seconds after the series' first sample, so that no precision goes into the epoch.
struct Regression {
  double count = 0;
  double mean_x = 0;
  double mean_y = 0;
  double xy = 0;
  double xx = 0;
  double first_y = 0;
  bool constant = true;

  void add(double x, double y) {
    if (count == 0) first_y = y;
    constant = constant && y == first_y;
    count += 1;
    double dx = x - mean_x;
    mean_x += dx / count;
    mean_y += (y - mean_y) / count;
    xy += dx * (y - mean_y);
    xx += dx * (x - mean_x);
  }
  void merge(const Regression& o) {
    if (o.count == 0) return;
    if (count == 0) {
      *this = o;
      return;
    }
    double total = count + o.count;
    double dx = o.mean_x - mean_x;
    double dy = o.mean_y - mean_y;
    xy += o.xy + dx * dy * (count * o.count / total);
    xx += o.xx + dx * dx * (count * o.count / total);
    mean_x += dx * (o.count / total);
    mean_y += dy * (o.count / total);
    constant = constant && o.constant && first_y == o.first_y;
    count = total;
  }
  double slope() const {
    if (constant) return std::isinf(first_y) ? std::nan("") : 0;
    return xy / xx;
  }
  double at(double x) const {
    // The slope is 0, but not what it gives with NaN or an infinity.
    if (constant) return first_y + slope() * x;
    return mean_y + slope() * (x - mean_x);
  }
};

template <class Emit>
void regressions(const Windows& w, Emit emit) {
  if (w.times.empty()) return;
  TimestampMs origin = w.times[0];
  sliding_fold<Regression>(
      w.values.size(), w.lo, w.hi,
      [&](Regression& r, std::uint32_t s) { r.add(static_cast<double>(w.times[s] - origin) / 1000, w.values[s]); },
      [&](std::size_t i, const Regression& r) {
        if (r.count >= 2) emit(i, r, static_cast<double>(w.grid.time(i) - origin) / 1000);
      });
}

void deriv(const Windows& w, KernelArgs, RowOut out) {
  regressions(w, [&](std::size_t i, const Regression& r, double) { out.set(i, r.slope()); });
}

void predict_linear(const Windows& w, KernelArgs args, RowOut out) {
  // From the evaluation time, whatever `offset` and `@` say.
  regressions(w, [&](std::size_t i, const Regression& r, double now) { out.set(i, r.at(now + args[0].at(i))); });
}

/// Holt's double exponential smoothing: a recurrence over the window's samples in order, which nothing shortens.
double smooth(std::span<const double> values, double level_factor, double trend_factor) {
  double before = 0;
  double level = values[0];
  double trend = values[1] - values[0];
  for (std::size_t s = 1; s < values.size(); ++s) {
    if (s > 1) trend = trend_factor * (level - before) + (1 - trend_factor) * trend;
    double next = level_factor * values[s] + (1 - level_factor) * (level + trend);
    before = level;
    level = next;
  }
  return level;
}

void double_exponential_smoothing(const Windows& w, KernelArgs args, RowOut out) {
  for (std::size_t i = 0; i < w.steps(); ++i) {
    if (w.hi[i] < w.lo[i] + 2) continue;
    if (!w.may_go_on(w.hi[i] - w.lo[i])) return;
    out.set(i, smooth(w.values.subspan(w.lo[i], w.hi[i] - w.lo[i]), args[0].at(i), args[1].at(i)));
  }
}

constexpr RangeFunction kFunctions[] = {
    {"deriv", deriv},
    {"double_exponential_smoothing", double_exponential_smoothing},
    {"predict_linear", predict_linear},
};

}  // namespace

std::span<const RangeFunction> trend_functions() { return kFunctions; }

}  // namespace pipit
