#include "model/hash_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "model/symbol_table.h"

namespace pipit {
namespace {

/// The places of `texts`, put in their order, by a hash with so many different values.
void expect_found(const std::vector<std::string>& texts, std::uint64_t hashes) {
  HashIndex index;
  const auto hash = [&](const std::string& text) { return std::hash<std::string>()(text) % hashes; };
  std::map<std::string, std::uint32_t> places;
  std::vector<std::string> stored;
  for (const std::string& text : texts) {
    const auto equal = [&](std::uint32_t place) { return stored[place] == text; };
    const auto known = places.find(text);
    EXPECT_EQ(index.find(hash(text), equal), known == places.end() ? HashIndex::kNone : known->second);
    const auto next = static_cast<std::uint32_t>(stored.size());
    const std::uint32_t place = index.find_or_put(hash(text), next, equal);
    EXPECT_EQ(place, known == places.end() ? next : known->second);
    if (place != next) continue;
    stored.push_back(text);
    places[text] = place;
  }
  EXPECT_LE(index.bytes(), std::max<std::size_t>(16, stored.size() * 8 / 3) * 8);
}

TEST(HashIndex, FindsWhatWasPut) {
  std::mt19937 random(1);
  std::vector<std::string> texts;
  for (int i = 0; i < 20'000; ++i) texts.push_back(std::to_string(random() % 10'000));
  expect_found(texts, ~std::uint64_t{0});
  texts.resize(2'000);
  expect_found(texts, 7);  // most collide
  expect_found(texts, 1);  // all do
}

TEST(SymbolTable, GivesEqualTextsEqualIds) {
  SymbolTable table;
  EXPECT_EQ(table.intern(""), 0u);
  std::vector<SymbolId> ids;
  std::vector<std::string> texts;
  for (int i = 0; i < 5'000; ++i) {
    texts.push_back(std::string(static_cast<std::size_t>(i % 300), 'x') + std::to_string(i));
    ids.push_back(table.intern(texts.back()));
  }
  const std::string_view first = table.text(ids[0]);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(table.intern(texts[i]), ids[i]);
    EXPECT_EQ(table.text(ids[i]), texts[i]);
  }
  EXPECT_EQ(table.text(ids[0]).data(), first.data()) << "texts stay where they are";
  EXPECT_EQ(table.size(), texts.size() + 1);
  EXPECT_EQ(table.intern(std::string_view()), 0u);
}

}  // namespace
}  // namespace pipit
