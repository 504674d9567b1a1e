#include "storage/hash.h"

#include <cstring>

namespace pipit {
namespace {

/// Two lanes of multiply-and-fold (a 64 x 64 bit product, halves xored), eight bytes a step.
class Hasher {
 public:
  explicit Hasher(const HashSeed& seed) : low_(seed.low ^ kFirst), high_(seed.high ^ kSecond) {}

  void add(std::string_view bytes) {
    word(bytes.size());  // so that the borders between texts count
    while (bytes.size() >= 8) {
      word(load(bytes.data(), 8));
      bytes.remove_prefix(8);
    }
    if (!bytes.empty()) word(load(bytes.data(), bytes.size()));
  }

  Hash128 finish() const {
    Hash128 hash{fold(low_ ^ kSecond, high_ ^ kThird), fold(high_ ^ kFirst, low_ ^ kFourth)};
    if (hash.is_zero()) hash.low = 1;
    return hash;
  }

 private:
  // Odd, half of the bits set; nothing else is asked of them.
  static constexpr std::uint64_t kFirst = 0x9e3779b97f4a7c15ULL;
  static constexpr std::uint64_t kSecond = 0xd6e8feb86659fd93ULL;
  static constexpr std::uint64_t kThird = 0xa0761d6478bd642fULL;
  static constexpr std::uint64_t kFourth = 0xe7037ed1a0b428dbULL;

  static std::uint64_t load(const char* from, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
  }
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    __extension__ using Product = unsigned __int128;
    const Product product = static_cast<Product>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  void word(std::uint64_t w) {
    low_ = fold(low_ ^ w, kThird) + high_;
    high_ = fold(high_ ^ w ^ kFourth, kFirst) ^ (w << 32 | w >> 32);
  }

  std::uint64_t low_;
  std::uint64_t high_;
};

}  // namespace

Hash128 hash_labels(const Labels& labels, const HashSeed& seed) {
  Hasher hasher(seed);
  for (const Label& label : labels) {
    hasher.add(label.name);
    hasher.add(label.value);
  }
  return hasher.finish();
}

Hash128 hash_bytes(std::string_view bytes, const HashSeed& seed) {
  Hasher hasher(seed);
  hasher.add(bytes);
  return hasher.finish();
}

}  // namespace pipit
