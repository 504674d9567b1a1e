#include "storage/decimal.h"

namespace pipit {

int find_decimal_scale(double value, int from) {
  std::int64_t n;
  for (int scale = from; scale <= kMaxDecimalScale; ++scale) {
    if (to_decimal(value, scale, n)) return scale;
  }
  return -1;
}

int common_scale(std::span<const double> values) {
  int scale = 0;
  std::size_t strays = 0;
  std::uint64_t last = ~std::bit_cast<std::uint64_t>(values[0]);
  for (const double value : values) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (bits == last) continue;
    last = bits;
    std::int64_t n;
    if (is_special(value) || to_decimal(value, scale, n)) continue;
    const int wanted = find_decimal_scale(value, scale + 1);
    if (wanted >= 0) {
      scale = wanted;
    } else if (++strays > 2 + values.size() / 8) {
      return -1;
    }
  }
  return scale;
}

}  // namespace pipit
