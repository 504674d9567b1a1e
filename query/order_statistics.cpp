#include "query/order_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pipit {

bool less_nan_first(double a, double b) {
  if (std::isnan(a)) return !std::isnan(b);
  return a < b;
}

namespace {

/// Where a quantile lies between two ranks, or what it is whatever the values.
struct Rank {
  bool fixed = false;
  double value = 0;
  std::size_t lower = 0;
  std::size_t upper = 0;
  double weight = 0;

  double between(double low, double high) const { return low * (1 - weight) + high * weight; }
};

Rank rank_of(double q, std::size_t count) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (count == 0 || std::isnan(q)) return {true, std::nan("")};
  if (q < 0) return {true, -kInfinity};
  if (q > 1) return {true, kInfinity};
  const double rank = q * static_cast<double>(count - 1);
  const auto lower = static_cast<std::size_t>(std::max(0.0, std::floor(rank)));
  return {false, 0, lower, std::min(lower + 1, count - 1), rank - std::floor(rank)};
}

/// What it costs to keep order when one sample of so many changes, in samples that dividing them anew passes.
std::size_t cost_of_change(std::size_t count) { return 16 + count / 32; }

}  // namespace

double quantile_of_sorted(double q, std::span<const double> sorted) {
  const Rank rank = rank_of(q, sorted.size());
  return rank.fixed ? rank.value : rank.between(sorted[rank.lower], sorted[rank.upper]);
}

double quantile_of_unsorted(double q, std::span<double> values) {
  const Rank rank = rank_of(q, values.size());
  if (rank.fixed) return rank.value;
  const auto lower = values.begin() + static_cast<std::ptrdiff_t>(rank.lower);
  const bool any_nan = std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
  if (any_nan) {
    std::nth_element(values.begin(), lower, values.end(), less_nan_first);
  } else {
    std::nth_element(values.begin(), lower, values.end());
  }
  if (rank.upper == rank.lower) return rank.between(*lower, *lower);
  const auto upper =
      any_nan ? std::min_element(lower + 1, values.end(), less_nan_first) : std::min_element(lower + 1, values.end());
  return rank.between(*lower, *upper);
}

double SlidingQuantile::of_window(double q, std::uint32_t lo, std::uint32_t hi) {
  const std::size_t count = hi - lo;
  const std::size_t change = (lo - lo_) + (hi - hi_);
  const bool slides = lo < hi_ && change * cost_of_change(count) < 4 * count;
  if (!slides) {
    window_.assign(samples_.begin() + lo, samples_.begin() + hi);
    sorted_ = false;
  } else {
    if (!sorted_) std::sort(window_.begin(), window_.end(), less_nan_first);
    sorted_ = true;
    for (std::uint32_t s = lo_; s < lo; ++s) {
      window_.erase(std::lower_bound(window_.begin(), window_.end(), samples_[s], less_nan_first));
    }
    for (std::uint32_t s = hi_; s < hi; ++s) {
      window_.insert(std::upper_bound(window_.begin(), window_.end(), samples_[s], less_nan_first), samples_[s]);
    }
  }
  lo_ = lo;
  hi_ = hi;
  return sorted_ ? quantile_of_sorted(q, window_) : quantile_of_unsorted(q, window_);
}

}  // namespace pipit
