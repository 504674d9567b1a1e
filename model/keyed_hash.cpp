#include "model/keyed_hash.h"

#include <random>

namespace pipit {

const HashKey& hash_key() {
  static const HashKey key = [] {
    std::random_device random;
    const auto word = [&random] { return static_cast<std::uint64_t>(random()) << 32 | random(); };
    return HashKey{word(), word() | 1};
  }();
  return key;
}

}  // namespace pipit
