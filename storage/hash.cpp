#include "storage/hash.h"

#include <cstring>
#include <string>

namespace pipit {
namespace {

// Odd, half of the bits set; nothing else is asked of them.
constexpr std::uint64_t kFirst = 0x9e3779b97f4a7c15ULL;
constexpr std::uint64_t kSecond = 0xd6e8feb86659fd93ULL;
constexpr std::uint64_t kThird = 0xa0761d6478bd642fULL;
constexpr std::uint64_t kFourth = 0xe7037ed1a0b428dbULL;

std::uint64_t load(const char* from, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, size);
  return word;
}

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Product = unsigned __int128;
  const Product product = static_cast<Product>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

/// Two lanes of multiply-and-fold (a 64 x 64 bit product, halves xored), sixteen bytes a step. What a word is xored
/// with before it is multiplied comes from the seed, so nobody outside can make a factor zero and with it a lane
/// forget.
Hash128 hash_bytes(std::string_view bytes, const HashSeed& seed) {
  const std::uint64_t key_a = fold(seed.low ^ kFirst, seed.high ^ kSecond);
  const std::uint64_t key_b = fold(seed.high ^ kThird, seed.low ^ kFourth);
  std::uint64_t low = key_b ^ bytes.size();
  std::uint64_t high = key_a + bytes.size();
  const auto step = [&](std::uint64_t a, std::uint64_t b) {
    low = fold(a ^ key_a, b ^ low);
    high = fold(b ^ key_b, a ^ high) + kFirst;
  };
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left > 16; at += 16, left -= 16) step(load(at, 8), load(at + 8, 8));
  if (left > 8) {
    step(load(at, 8), load(at + 8, left - 8));
  } else {
    step(load(at, left), 0);
  }
  Hash128 hash{fold(low ^ kSecond, high ^ key_a), fold(high ^ kThird, low ^ key_b)};
  if (hash.is_zero()) hash.low = 1;
  return hash;
}

Hash128 hash_labels(const Labels& labels, const HashSeed& seed) {
  std::string encoding;
  encode_labels(labels, encoding);
  return hash_bytes(encoding, seed);
}

}  // namespace pipit
