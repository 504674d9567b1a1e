#include "model/keyed_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace pipit {
namespace {

TEST(KeyedHash, KeepsApartTextsThatShareAHashWithoutAKey) {
  // MurmurHash64A with the seed of libstdc++, which std::hash is there, gives all of them one hash.
  const char* const texts[] = {"wyDeBCCyiR{1qL]p", "AqEmuEDt&O!Se.dp", "equFEaps@0=|I.d'",
                               "lvzaarAt+5,hnSGy", "yvimfAFgZS7)0}vX", "blpsqkbzANfGXGb~"};
  std::set<std::uint64_t> hashes;
  for (const char* text : texts) hashes.insert(keyed_hash(text, hash_key()));
  EXPECT_EQ(hashes.size(), std::size(texts));
}

TEST(KeyedHash, TakesEveryByteTheLengthAndTheKey) {
  const HashKey key{0x243f6a8885a308d3, 0x13198a2e03707345};
  std::set<std::uint64_t> hashes;
  std::size_t texts = 0;
  for (std::size_t size = 0; size <= 50; ++size) {
    std::string text(size, '\0');
    hashes.insert(keyed_hash(text, key));
    hashes.insert(keyed_hash(text, {key.first + 1, key.second}));
    hashes.insert(keyed_hash(text, {key.first, key.second + 2}));
    texts += 3;
    for (char& c : text) {
      c = 'x';
      hashes.insert(keyed_hash(text, key));
      ++texts;
      c = '\0';
    }
  }
  EXPECT_EQ(hashes.size(), texts);
}

}  // namespace
}  // namespace pipit
