#include "storage/member_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

namespace pipit {
namespace {

/// Any order of coming, leaving and coming back, against a map.
TEST(MemberListTest, IsAMapFromOrdinalsToSlots) {
  std::mt19937 random(5);
  for (const std::uint32_t range : {10u, 1000u, 5000u}) {
    MemberList members;
    std::map<std::uint32_t, std::uint32_t> expected;
    for (std::uint32_t step = 0; step < 4 * range; ++step) {
      const auto ordinal = static_cast<std::uint32_t>(random() % range);
      const auto found = expected.find(ordinal);
      EXPECT_EQ(members.find(ordinal), found == expected.end() ? MemberList::kNoSlot : found->second);
      if (found == expected.end()) {
        members.insert(ordinal, step);
        expected.emplace(ordinal, step);
      } else if (step > range) {
        members.remove(ordinal);
        expected.erase(found);
      }
      EXPECT_EQ(members.empty(), expected.empty());
    }
    std::map<std::uint32_t, std::uint32_t> all;
    std::uint32_t last = 0;
    for (const auto& [ordinal, slot] : members.all()) {
      EXPECT_TRUE(all.empty() || last < ordinal);
      last = ordinal;
      all.emplace(ordinal, slot);
    }
    EXPECT_EQ(all, expected);
  }
}

/// Each insertion or removal that moved all others would take half a minute here.
TEST(MemberListTest, FindsSomeOfMany) {
  MemberList members;
  for (std::uint32_t ordinal = 0; ordinal < 10'000; ++ordinal) {
    if (ordinal != 500) members.insert(ordinal * 3, ordinal);
  }
  members.insert(1500, 500);  // late
  members.remove(3000);
  const auto slots = [&](const std::vector<std::uint32_t>& ordinals) {
    std::vector<std::uint32_t> found;
    for (const MemberList::Member& member : members.of(ordinals)) {
      EXPECT_TRUE(std::ranges::binary_search(ordinals, member.ordinal));
      found.push_back(member.slot);
    }
    return found;
  };
  EXPECT_EQ(slots({}), std::vector<std::uint32_t>());
  EXPECT_EQ(slots({0, 1, 1500, 3000, 29'997, 50'000}), (std::vector<std::uint32_t>{0, 500, 9999}));
  std::vector<std::uint32_t> all(30'000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(slots(all).size(), 9999u);
}

TEST(MemberListTest, ReverseOrderIsNotQuadratic) {
  constexpr std::uint32_t kCount = 200'000;
  MemberList members;
  for (std::uint32_t i = kCount; i > 0; --i) members.insert(i, i);
  EXPECT_EQ(members.all().size(), kCount);
  for (std::uint32_t i = 1; i <= kCount; ++i) members.remove(i);
  EXPECT_TRUE(members.empty());
}

}  // namespace
}  // namespace pipit
