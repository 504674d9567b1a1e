#include "storage/member_list.h"

#include <gtest/gtest.h>

#include <map>
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
