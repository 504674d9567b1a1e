#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace pipit {

// Nearly all values of metrics are decimals of few digits. Such a value v is an integer n and a scale s with
// v == n / 10^s *bit for bit*: both n (below 2^53) and 10^s are exact as doubles, so the division is the correctly
// rounded decimal, which is what the exporter's text was read as.

inline constexpr int kMaxDecimalScale = 15;
inline constexpr double kPowerOfTen[kMaxDecimalScale + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                             1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

inline double from_decimal(std::int64_t n, int scale) { return static_cast<double>(n) / kPowerOfTen[scale]; }

/// Whether `value` is exactly n / 10^scale with |n| < 2^53. Never for NaN, infinities and -0.
inline bool to_decimal(double value, int scale, std::int64_t& n) {
  const double scaled = value * kPowerOfTen[scale];
  if (!(scaled > -0x1p53 && scaled < 0x1p53)) return false;
  n = static_cast<std::int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
  return std::bit_cast<std::uint64_t>(from_decimal(n, scale)) == std::bit_cast<std::uint64_t>(value) &&
         n > -(std::int64_t{1} << 53) && n < (std::int64_t{1} << 53);
}

/// The smallest scale of at least `from` at which `value` is a decimal, or -1.
int find_decimal_scale(double value, int from = 0);

/// The scale that fits all but the special values and a few strays; -1 when there is none. REQUIRES: a value.
int common_scale(std::span<const double> values);

/// Values that no scale fits and that say nothing about the scale of their neighbours.
inline bool is_special(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const bool infinite_or_nan = (bits & 0x7ff0000000000000ULL) == 0x7ff0000000000000ULL;
  return infinite_or_nan || bits == 0x8000000000000000ULL;
}

}  // namespace pipit
