#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/labels.h"

namespace pipit {

/// 128 bits that stand for a series' labels: two of 10 million series share them with a probability of 1e-25, and
/// an exporter can't aim at it, as the seed is random and stays in the store.
struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
  bool is_zero() const { return low == 0 && high == 0; }
};

using HashSeed = Hash128;

/// Never zero.
Hash128 hash_bytes(std::string_view bytes, const HashSeed& seed);
/// That of the labels' encoding (`encode_labels`).
Hash128 hash_labels(const Labels& labels, const HashSeed& seed);

}  // namespace pipit
