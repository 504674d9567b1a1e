#include "model/duration.h"

#include <gtest/gtest.h>

#include <limits>

namespace pipit {
namespace {

TEST(Duration, ParsesAndPrints) {
  const std::pair<const char*, DurationMs> cases[] = {
      {"0s", 0},
      {"324ms", 324},
      {"3s", 3000},
      {"5m", 300'000},
      {"1h", 3'600'000},
      {"4d", 345'600'000},
      {"4d1h", 349'200'000},
      {"14d", 1'209'600'000},
      {"3w", 1'814'400'000},
      {"3w2d1h", 1'990'800'000},
      {"10y", 315'360'000'000},
      {"4m20s512ms", 260'512},
  };
  for (const auto& [text, ms] : cases) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, ms) << text;
    EXPECT_EQ(*parse_duration(format_duration(ms)), ms) << text;
  }
  EXPECT_EQ(format_duration(5'400'000), "1h30m");
  EXPECT_EQ(format_duration(1'209'600'000), "2w");
  EXPECT_EQ(format_duration(1'990'800'000), "23d1h");
  EXPECT_EQ(format_duration(-1500), "-1s500ms");
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(*parse_duration("0"), 0);
}

TEST(Duration, RefusesWithPrometheussWords) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "empty duration string"},
      {"1", R"(not a valid duration string: "1")"},
      {"1y1m1d", R"(not a valid duration string: "1y1m1d")"},
      {"-1w", R"(not a valid duration string: "-1w")"},
      {"1.5d", R"(unknown unit "." in duration "1.5d")"},
      {"d", R"(not a valid duration string: "d")"},
      {"294y", "duration out of range"},
      {"99999999999999999999h", "duration out of range"},
  };
  for (const auto& [text, message] : cases) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().message, message);
  }
}

TEST(ApiTime, AcceptsSecondsAndRfc3339) {
  const std::pair<const char*, TimestampMs> cases[] = {
      {"0", 0},
      {"123.123", 123'123},
      {"-1.5", -1500},
      {"1e3", 1'000'000},
      {"2015-06-03T13:21:58.555Z", 1'433'337'718'555},
      {"2015-06-03T14:21:58.555+01:00", 1'433'337'718'555},
      {"1969-12-31T23:59:59Z", -1000},
      {"2024-02-29T00:00:00Z", 1'709'164'800'000},
  };
  for (const auto& [text, ms] : cases) {
    const auto parsed = parse_api_time(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, ms) << text;
  }
  for (const char* bad : {"", "abc", "2015-06-03", "2023-02-29T00:00:00Z", "2015-06-03T25:00:00Z",
                          "2015-06-03T13:21:58", "NaN", "1e300", "Inf"}) {
    const auto parsed = parse_api_time(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().message, std::string("cannot parse \"") + bad + "\" to a valid timestamp");
  }
}

TEST(ApiDuration, AcceptsSecondsAndDurations) {
  EXPECT_EQ(*parse_api_duration("15"), 15'000);
  EXPECT_EQ(*parse_api_duration("0.5"), 500);
  EXPECT_EQ(*parse_api_duration("1m30s"), 90'000);
  EXPECT_LT(*parse_api_duration("NaN"), 0) << "as Go converts it";
  EXPECT_EQ(parse_api_duration("1e30").error().message,
            R"(cannot parse "1e30" to a valid duration. It overflows int64)");
  EXPECT_EQ(parse_api_duration("x").error().message, R"(cannot parse "x" to a valid duration)");
}

TEST(Rfc3339, PrintsBeforeAndAfterTheEpoch) {
  EXPECT_EQ(format_rfc3339(1'433'337'718'555), "2015-06-03T13:21:58.555Z");
  EXPECT_EQ(format_rfc3339(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace pipit
