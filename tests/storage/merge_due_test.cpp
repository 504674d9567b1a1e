// When a day's chunks are merged, with all clocks passed in.

#include "storage/merge_due.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr DurationMs kHour = 3'600'000;
constexpr TimestampMs kMidnight = 20'000 * kPartitionMs;  ///< days 19,999 and before are over
constexpr Clock::time_point kNow{std::chrono::hours(1000)};

TEST(MergeDue, ADayThatIsOverAndQuiet) {
  const UnmergedDays days{{19'997, kNow - seconds(10)}, {19'998, kNow - seconds(500)}, {19'999, kNow - seconds(500)}};
  struct Case {
    const char* about;
    TimestampMs now;
    DurationMs late_window;
    TimestampMs oldest_in_head;
    Clock::time_point quiet_since;
    std::optional<Partition> day;
  };
  const Case cases[] = {
      {"the oldest", kMidnight, 0, kMaxTimestamp, kNow, 19'997},
      {"chunks came into the oldest a moment ago", kMidnight, 0, kMaxTimestamp, kNow - kMergeQuiet, 19'998},
      {"chunks came into all of them", kMidnight, 0, kMaxTimestamp, kNow - seconds(501), std::nullopt},
      {"to the second", kMidnight, 0, kMaxTimestamp, kNow - seconds(500), 19'998},
      {"the head has samples of it", kMidnight, 0, kMidnight - 2 * kPartitionMs - 1, kNow, std::nullopt},
      {"the head has samples of the day after", kMidnight, 0, kMidnight - 2 * kPartitionMs, kNow, 19'997},
      {"the head has today's", kMidnight, 0, kMidnight, kNow, 19'997},
      {"late samples may come", kMidnight - kPartitionMs, kPartitionMs, kMaxTimestamp, kNow - kMergeQuiet,
       std::nullopt},
      {"not any more", kMidnight, kPartitionMs, kMaxTimestamp, kNow - kMergeQuiet, 19'998},
      {"all are over but the last", kMidnight - 1, 0, kMaxTimestamp, kNow - kMergeQuiet, 19'998},
      {"none is over", kMidnight - 2 * kPartitionMs - 1, 0, kMaxTimestamp, kNow, std::nullopt},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(day_to_merge(days, c.now, c.late_window, c.oldest_in_head, c.quiet_since), c.day) << c.about;
  }
  EXPECT_EQ(day_to_merge({{19'999, kNow}}, kMidnight, 0, kMaxTimestamp, kNow), 19'999) << "at midnight";
  EXPECT_EQ(day_to_merge({{19'999, kNow}}, kMidnight - 1, 0, kMaxTimestamp, kNow), std::nullopt) << "before";
  EXPECT_EQ(day_to_merge({}, kMidnight, 0, kMaxTimestamp, kNow), std::nullopt);
}

TEST(MergeDue, AHeadOfDaysThatAreOverIsHistory) {
  EXPECT_TRUE(is_history(kMidnight - 1, kMidnight));
  EXPECT_FALSE(is_history(kMidnight - 1, kMidnight - 1));
  EXPECT_FALSE(is_history(kMidnight, kMidnight + kHour));
  EXPECT_FALSE(is_history(kMidnight + 10 * kPartitionMs, kMidnight)) << "of the future";
  EXPECT_FALSE(is_history(kMinTimestamp, kMidnight)) << "an empty head";
}

TEST(MergeDue, QuietIsWhenNoRecordComesForMinutes) {
  QuietTime quiet;
  EXPECT_FALSE(quiet.reached(7, kNow)) << "who knows what was before";
  EXPECT_FALSE(quiet.reached(7, kNow + kMergeQuiet - seconds(1)));
  EXPECT_TRUE(quiet.reached(7, kNow + kMergeQuiet));
  EXPECT_FALSE(quiet.reached(8, kNow + kMergeQuiet + seconds(1)));
  EXPECT_FALSE(quiet.reached(8, kNow + 2 * kMergeQuiet));
  EXPECT_TRUE(quiet.reached(8, kNow + 2 * kMergeQuiet + seconds(1)));
  QuietTime empty;
  EXPECT_FALSE(empty.reached(0, kNow)) << "no record yet is no different";
  EXPECT_TRUE(empty.reached(0, kNow + kMergeQuiet));
}

}  // namespace
}  // namespace pipit
