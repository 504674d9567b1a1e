#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pipit {

/// Ascending, NaN before everything: the order in which Prometheus takes quantiles.
bool less_nan_first(double a, double b);

/// The q-quantile of ascending values, interpolated between neighbours. q < 0: -Inf, q > 1: +Inf, NaN or no values:
/// NaN.
double quantile_of_sorted(double q, std::span<const double> sorted);

/// The same of values in any order, which are left in another one.
double quantile_of_unsorted(double q, std::span<double> values);

/// Quantiles of windows that slide over samples. Where a window has much in common with the one before, its samples are
/// kept in order, and one that enters or leaves costs a search and a memmove; else each window's are divided anew.
class SlidingQuantile {
 public:
  explicit SlidingQuantile(std::span<const double> samples) : samples_(samples) {}
  /// Of samples [lo, hi), at least one. Both bounds must not go back between calls.
  double of_window(double q, std::uint32_t lo, std::uint32_t hi);

 private:
  std::span<const double> samples_;
  std::vector<double> window_;  ///< samples [lo_, hi_)
  bool sorted_ = false;
  std::uint32_t lo_ = 0;
  std::uint32_t hi_ = 0;
};

}  // namespace pipit
