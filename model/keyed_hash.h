#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace pipit {

/// Random, and another one in each process: who chooses texts can't choose such that share a hash, with which a table
/// would take quadratic time. (std::hash of texts has no key, and texts that share one are computed by the thousand.)
struct HashKey {
  std::uint64_t first;
  std::uint64_t second;
};
const HashKey& hash_key();

/// Both halves of the product, one upon the other. A factor that is zero would forget the other one, so what outsiders
/// choose must meet a part of the key before.
inline std::uint64_t fold_product(std::uint64_t a, std::uint64_t b) {
  __extension__ using Product = unsigned __int128;
  const Product product = static_cast<Product>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Sixteen bytes a step. Good within one process only.
inline std::uint64_t keyed_hash(std::string_view text, const HashKey& key) {
  const auto load = [](const char* from, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
  };
  std::uint64_t hash = key.first ^ text.size();
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 16; at += 16, left -= 16) hash = fold_product(load(at, 8) ^ key.second, load(at + 8, 8) ^ hash);
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  // Two loads that may overlap cost less than one of a length that isn't constant.
  if (left >= 8) {
    a = load(at, 8);
    b = load(at + left - 8, 8);
  } else if (left >= 4) {
    a = load(at, 4);
    b = load(at + left - 4, 4);
  } else if (left > 0) {
    a = load(at, 1) | load(at + left / 2, 1) << 8;
    b = load(at + left - 1, 1);
  }
  return fold_product(fold_product(a ^ key.second, b ^ hash) ^ key.first, key.second);
}

}  // namespace pipit
