#include "tools/liveness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "telemetry/metrics.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;

constexpr TimestampMs kNow = 1'800'000'000'000;

class Records final : public RecordStore {
 public:
  Status write_records(std::span<const Change> changes) override {
    if (full) return Error{ErrorKind::unavailable, "No space left on device"};
    written += changes.size();
    return {};
  }
  Result<std::vector<std::pair<std::string, std::string>>> read_records(std::string_view) const override {
    return std::vector<std::pair<std::string, std::string>>();
  }
  bool full = false;
  std::size_t written = 0;
};

class LivenessTest : public ::testing::Test {
 protected:
  static TargetStatus target(TimestampMs last_scrape, DurationMs interval = 15'000) {
    TargetStatus status;
    status.last_scrape = last_scrape;
    status.scrape_interval = interval;
    status.scrape_timeout = 10'000;
    return status;
  }

  MetricsRegistry metrics_;
  Counter& stored_ = metrics_.counter("stored_total", "");
  Records records_;
  Liveness liveness_{records_, stored_};
};

TEST_F(LivenessTest, AllIsWellWhileAllGoesOn) {
  for (TimestampMs now = kNow; now < kNow + 600'000; now += 60'000) {
    stored_.add(100);
    EXPECT_EQ(liveness_.fault({target(now - 14'000), target(now - 3'000)}, {{"site", 60'000, now - 50'000}}, now), "");
  }
  EXPECT_EQ(records_.written, 10U);
}

TEST_F(LivenessTest, AServerWithoutTargetsAndRulesIsAliveAsLongAsItCanWrite) {
  EXPECT_EQ(liveness_.fault({}, {}, kNow), "");
  EXPECT_EQ(liveness_.fault({}, {}, kNow + 3'600'000), "");
  records_.full = true;
  EXPECT_EQ(liveness_.fault({}, {}, kNow + 3'660'000), "the store can't be written: No space left on device");
}

TEST_F(LivenessTest, ScrapingHasStoppedWhenNoTargetWasTriedOfLate) {
  const TargetStatus late = target(kNow - 100'000);
  EXPECT_EQ(liveness_.fault({late}, {}, kNow), "no target was scraped for 100 s");
  EXPECT_EQ(liveness_.fault({late, target(kNow - 1'000)}, {}, kNow), "") << "one that is stuck stops not all";
  EXPECT_EQ(liveness_.fault({target(kNow - 100'000, 60'000)}, {}, kNow), "") << "it has its own interval";
  EXPECT_EQ(liveness_.fault({target(kNow + 50'000)}, {}, kNow), "") << "the clock was set back";
}

TEST_F(LivenessTest, AClockThatIsSetBackHidesNothing) {
  stored_.add(1);
  ASSERT_EQ(liveness_.fault({target(kNow)}, {{"site", 60'000, kNow}}, kNow), "");
  const TimestampMs now = kNow - 3'600'000;
  EXPECT_THAT(liveness_.fault({target(kNow)}, {}, now), HasSubstr("no target was scraped"));
  EXPECT_THAT(liveness_.fault({target(now)}, {{"site", 60'000, kNow}}, now), HasSubstr("the rule group site"));
  stored_.add(1);
  EXPECT_EQ(liveness_.fault({target(now + 5)}, {{"site", 60'000, now + 5}}, now), "");
}

TEST_F(LivenessTest, TheFirstScrapeIsWaitedFor) {
  EXPECT_EQ(liveness_.fault({target(0)}, {}, kNow), "no target was scraped yet");
  EXPECT_EQ(liveness_.fault({target(0, 3'600'000)}, {}, kNow), "") << "but not for an hour";
  EXPECT_EQ(liveness_.fault({target(0, 3'600'000)}, {}, kNow + 3 * 3'600'000), "no target was scraped yet");
}

TEST_F(LivenessTest, StoringHasStoppedWhenScrapesStoreNothing) {
  stored_.add(5);
  EXPECT_EQ(liveness_.fault({target(kNow)}, {}, kNow), "");
  EXPECT_EQ(liveness_.fault({target(kNow + 60'000)}, {}, kNow + 60'000), "") << "not yet";
  EXPECT_EQ(liveness_.fault({target(kNow + 90'000)}, {}, kNow + 90'000), "no sample was stored for 90 s");
  stored_.add(5);
  EXPECT_EQ(liveness_.fault({target(kNow + 95'000)}, {}, kNow + 95'000), "");
}

TEST_F(LivenessTest, RulesHaveStoppedWhenAGroupIsOverdue) {
  EXPECT_EQ(liveness_.fault({}, {{"a", 15'000, kNow - 5'000}, {"b", 15'000, kNow - 200'000}}, kNow),
            "the rule group b was not evaluated for 200 s");
  EXPECT_EQ(liveness_.fault({}, {{"a", 15'000, kNow - 5'000}, {"b", 120'000, kNow - 200'000}}, kNow), "");
}

TEST_F(LivenessTest, AFreshGroupHasItsTimeButTheFirstOfAllIsWaitedFor) {
  EXPECT_EQ(liveness_.fault({}, {{"a", 15'000, kMinTimestamp}}, kNow), "the rule group a was not evaluated yet");
  EXPECT_EQ(liveness_.fault({}, {{"a", 15'000, kNow}}, kNow), "");
  const GroupProgress fresh{"reloaded", 15'000, kMinTimestamp};
  EXPECT_EQ(liveness_.fault({}, {{"a", 15'000, kNow}, fresh}, kNow), "");
  EXPECT_THAT(liveness_.fault({}, {{"a", 15'000, kNow + 80'000}, fresh}, kNow + 80'000), HasSubstr("reloaded"));
}

}  // namespace
}  // namespace pipit
