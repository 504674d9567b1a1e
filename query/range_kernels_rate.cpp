#include <algorithm>
#include <cmath>

#include "model/vectorized.h"
#include "query/range_kernels.h"

namespace pipit {
namespace {

enum class Counter { no, yes };
enum class PerSecond { no, yes };

/// Work goes by so many samples or steps, a number that the compiler knows and makes vectors of. Also the bits of a
/// word of a mask.
constexpr std::size_t kLanes = 64;
static_assert(kLanes == sizeof(MaskWord) * 8);

/// The samples at which a counter was reset, ascending.
void find_resets(std::span<const double> values, std::vector<std::uint32_t>& at) {
  at.clear();
  std::size_t s = 1;
  // The first sample from s on of the first block that has one, or where whole blocks end.
  const auto skip = [&] {
    return vectorized([ data = values.data(), size = values.size(), s ]() __attribute__((always_inline)) {
      std::size_t from = s;
      for (; from + kLanes <= size; from += kLanes) {
        std::int64_t falls = 0;
        for (std::size_t k = 0; k < kLanes; ++k) falls += data[from + k] < data[from + k - 1] ? 1 : 0;
        if (falls != 0) break;
      }
      return from;
    });
  };
  while (s < values.size()) {
    s = skip();
    const std::size_t end = std::min(s + kLanes, values.size());
    for (; s < end; ++s) {
      if (values[s] < values[s - 1]) at.push_back(static_cast<std::uint32_t>(s));
    }
  }
}

/// Sets the corrections of the windows around each reset. False when a window may have two.
bool correct_apart(const Windows& w, std::span<const std::uint32_t> at, std::span<double> corrections) {
  std::ptrdiff_t done = 0;
  for (const std::uint32_t s : at) {
    // A reset between the last sample before the window and its first one is not the window's.
    const auto first = std::upper_bound(w.hi.begin() + done, w.hi.end(), s) - w.hi.begin();
    const auto past = std::lower_bound(w.lo.begin() + done, w.lo.end(), s) - w.lo.begin();
    if (first == done && done > 0) return false;
    if (first >= past) continue;
    std::fill(corrections.begin() + first, corrections.begin() + past, w.values[s - 1]);
    done = past;
  }
  return true;
}

/// What each window's counter lost to resets: the sum of the values before them. Empty when there was none.
std::vector<double> reset_corrections(const Windows& w) {
  std::vector<std::uint32_t> at;
  find_resets(w.values, at);
  if (at.empty()) return {};
  std::vector<double> corrections(w.steps(), 0.0);
  constexpr std::size_t kStepsASearch = 32;
  if (at.size() * kStepsASearch <= w.steps() && correct_apart(w, at, corrections)) return corrections;
  std::vector<double> before;
  for (const std::uint32_t s : at) before.push_back(w.values[s - 1]);
  std::vector<std::uint32_t> lo(w.steps());
  std::vector<std::uint32_t> hi(w.steps());
  std::uint32_t first = 0;
  std::uint32_t past = 0;
  for (std::size_t i = 0; i < w.steps(); ++i) {
    while (past < at.size() && at[past] < w.hi[i]) ++past;
    while (first < past && at[first] <= w.lo[i]) ++first;
    lo[i] = first;
    hi[i] = past;
  }
  window_sums(before, lo, hi, corrections.data());
  return corrections;
}

/// So many windows, as columns.
struct WindowColumns {
  double first[kLanes];
  double last[kLanes];
  double correction[kLanes];
  double result[kLanes];
};

/// The increases between the windows' first and last samples, extrapolated to the whole windows.
/// Source: Prometheus, extrapolatedRate. A counter is not extrapolated back beyond the time at which it was zero.
void extrapolate(WindowColumns& columns, const Windows::Extents& extents, std::size_t begin, bool is_counter,
                 double divisor) {
  vectorized([
    &columns, sampled_seconds = extents.sampled.data() + begin, to_starts = extents.to_start.data() + begin,
    to_ends = extents.to_end.data() + begin, is_counter,
    divisor
  ]() __attribute__((always_inline)) {
    double results[kLanes];  // which nothing else can point to
    for (std::size_t k = 0; k < kLanes; ++k) {
      const double sampled = sampled_seconds[k];
      const double first = columns.first[k];
      const double increase = columns.last[k] - first + columns.correction[k];
      const double to_zero = sampled * (first / increase);
      const bool from_zero = is_counter & (increase > 0) & (first >= 0) & (to_zero < to_starts[k]);
      const double to_start = from_zero ? to_zero : to_starts[k];
      const double factor = (sampled + to_start + to_ends[k]) / sampled;
      results[k] = increase * (factor / divisor);
    }
    std::copy_n(results, kLanes, columns.result);
  });
}

void extrapolated(const Windows& w, Counter counter, PerSecond per_second, RowOut out) {
  const double divisor = per_second == PerSecond::yes ? static_cast<double>(w.window.range) / 1000 : 1;
  const Windows::Extents& extents = w.extents();
  std::vector<double> corrections;
  if (counter == Counter::yes) corrections = reset_corrections(w);
  WindowColumns columns{};
  for (std::size_t begin = 0; begin < w.steps(); begin += kLanes) {
    const std::size_t count = std::min(kLanes, w.steps() - begin);
    const MaskWord enough = extents.enough[begin / kLanes];
    if (enough == ~MaskWord{0}) {
      for (std::size_t k = 0; k < kLanes; ++k) {
        columns.first[k] = w.values[w.lo[begin + k]];
        columns.last[k] = w.values[w.hi[begin + k] - 1];
      }
    } else {
      mask_for_each(&enough, 1, [&](std::size_t k) {
        columns.first[k] = w.values[w.lo[begin + k]];
        columns.last[k] = w.values[w.hi[begin + k] - 1];
      });
    }
    if (!corrections.empty())
      std::copy_n(corrections.begin() + static_cast<std::ptrdiff_t>(begin), count, columns.correction);
    extrapolate(columns, extents, begin, counter == Counter::yes, divisor);
    std::copy_n(columns.result, count, out.values + begin);
    out.mask[begin / kLanes] = enough;
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
