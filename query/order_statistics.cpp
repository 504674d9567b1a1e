#include "query/order_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pipit {

bool less_nan_first(double a, double b) {
  if (std::isnan(a)) return !std::isnan(b);
  return a < b;
}

double quantile_of_sorted(double q, std::span<const double> sorted) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (sorted.empty() || std::isnan(q)) return std::nan("");
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  double rank = q * static_cast<double>(sorted.size() - 1);
  auto lower = static_cast<std::size_t>(std::max(0.0, std::floor(rank)));
  auto upper = std::min(lower + 1, sorted.size() - 1);
  double weight = rank - std::floor(rank);
  return sorted[lower] * (1 - weight) + sorted[upper] * weight;
}

void SortedWindow::move_to(std::span<const double> samples, std::uint32_t lo, std::uint32_t hi) {
  std::uint32_t stay = hi_ > lo ? hi_ - lo : 0;
  std::uint32_t change = (lo - lo_) + (hi - hi_);
  if (stay == 0 || change > stay / 2) {
    sorted_.assign(samples.begin() + lo, samples.begin() + hi);
    std::sort(sorted_.begin(), sorted_.end(), less_nan_first);
  } else {
    for (std::uint32_t s = lo_; s < lo; ++s) {
      sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), samples[s], less_nan_first));
    }
    for (std::uint32_t s = hi_; s < hi; ++s) {
      sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), samples[s], less_nan_first), samples[s]);
    }
  }
  lo_ = lo;
  hi_ = hi;
}

}  // namespace pipit
