#include "rules/rule_slot.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

TEST(RuleSlotTest, FollowsAClockThatJumps) {
  struct Case {
    const char* what;
    TimestampMs now;
    TimestampMs slot;
    DurationMs wait;
    std::uint64_t missed;
  };
  // The slot is 1,000, the interval 100.
  const Case cases[] = {
      {"on time", 1000, 1000, 0, 0},
      {"a little late", 1099, 1000, 0, 0},
      {"one slot late", 1100, 1100, 0, 1},
      {"many late", 5199, 5100, 0, 41},
      {"the clock is slow", 997, 1000, 3, 0},
      {"set back by less than an interval", 901, 1000, 99, 0},
      {"set back by an interval", 900, 900, 0, 0},
      {"set back far", -12'345, -12'400, 0, 0},
      {"set back far, to the grid", -12'300, -12'300, 0, 0},
  };
  for (const Case& each : cases) {
    const SlotNow got = slot_now(1000, 100, each.now);
    EXPECT_EQ(got.slot, each.slot) << each.what;
    EXPECT_EQ(got.wait, each.wait) << each.what;
    EXPECT_EQ(got.missed, each.missed) << each.what;
  }
}

}  // namespace
}  // namespace pipit
