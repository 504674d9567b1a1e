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

/// The samples of a window in ascending order, kept so while the window slides: a sample that enters or leaves costs a
/// search and a memmove.
class SortedWindow {
 public:
  /// Makes the window samples [lo, hi) of `samples`. Both bounds must not go back between calls.
  void move_to(std::span<const double> samples, std::uint32_t lo, std::uint32_t hi);
  std::span<const double> values() const { return sorted_; }

 private:
  std::vector<double> sorted_;
  std::uint32_t lo_ = 0;
  std::uint32_t hi_ = 0;
};

}  // namespace pipit
