#include "tools/query_options.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

constexpr TimestampMs kNow = 1'700'000'000'000;

TEST(QueryTime, ReadsAbsoluteAndRelativeTimes) {
  const std::pair<const char*, TimestampMs> cases[] = {
      {"now", kNow},
      {"now-5m", kNow - 300'000},
      {"now+1h30m", kNow + 5'400'000},
      {"1700000000", kNow},
      {"1700000000.25", kNow + 250},
      {"2023-11-14T22:13:20Z", kNow},
      {"2023-11-14T23:13:20+01:00", kNow},
  };
  for (const auto& [text, expected] : cases) {
    const auto parsed = parse_query_time(text, kNow);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, expected) << text;
  }
  for (const char* text : {"", "yesterday", "now5m", "now-", "now-5", "now-5m3", "nowhere", "5m"}) {
    EXPECT_FALSE(parse_query_time(text, kNow).ok()) << text;
  }
}

QueryOptions resolved(const TimeArguments& arguments, bool always_range = false) {
  QueryOptions options;
  const Status status = resolve_times(arguments, always_range, kNow, options);
  EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message);
  return options;
}

TEST(QueryTimes, NothingGivenIsAnInstantNow) {
  const QueryOptions options = resolved({});
  EXPECT_FALSE(options.is_range());
  EXPECT_EQ(options.end, kNow);
}

TEST(QueryTimes, RangeEndsNowInSteadySteps) {
  const QueryOptions options = resolved({.range = "6h"});
  EXPECT_EQ(options.end, kNow);
  EXPECT_EQ(options.start, kNow - 6 * 3'600'000LL);
  EXPECT_EQ(options.step, 86'000);  // 6h / 250 in whole seconds
}

TEST(QueryTimes, RangeMayHangOnEitherEnd) {
  const QueryOptions from = resolved({.start = "1699990000", .range = "1h", .step = "30"});
  EXPECT_EQ(from.start, 1'699'990'000'000);
  EXPECT_EQ(from.end, from.start + 3'600'000);
  EXPECT_EQ(from.step, 30'000);
  const QueryOptions until = resolved({.end = "now-1h", .range = "1h", .step = "1m"});
  EXPECT_EQ(until.end, kNow - 3'600'000);
  EXPECT_EQ(until.start, kNow - 2 * 3'600'000LL);
  const QueryOptions open = resolved({.start = "now-10s"});
  EXPECT_EQ(open.end, kNow);
  EXPECT_EQ(open.step, 1000);
}

TEST(QueryTimes, GraphShowsTheHourBeforeTheTime) {
  const QueryOptions options = resolved({.time = "1699990000"}, /*always_range=*/true);
  EXPECT_EQ(options.end, 1'699'990'000'000);
  EXPECT_EQ(options.start, options.end - 3'600'000);
  EXPECT_TRUE(options.is_range());
}

TEST(QueryTimes, ContradictionsNameTheOption) {
  const std::pair<TimeArguments, const char*> cases[] = {
      {{.time = "now", .range = "1h"}, "--time"},
      {{.start = "now-1h", .end = "now", .range = "1h"}, "--range"},
      {{.start = "now", .end = "now-1h"}, "before"},
      {{.end = "now"}, "--end"},
      {{.step = "5s"}, "--step"},
      {{.range = "1h", .step = "0"}, "--step"},
      {{.range = "-1h"}, "--range"},
      {{.start = "soon"}, "--start"},
  };
  for (const auto& [arguments, named] : cases) {
    QueryOptions options;
    const Status status = resolve_times(arguments, false, kNow, options);
    ASSERT_FALSE(status.ok()) << named;
    EXPECT_NE(status.error().message.find(named), std::string::npos) << status.error().message;
  }
}

std::variant<QueryOptions, int> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "pipit query");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return parse_query_options(static_cast<int>(argv.size()), argv.data());
}

TEST(QueryCommandLine, WrongUsageIsExitCodeTwo) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"up", "-o", "xml"},
                                                {"instant"},
                                                {"range", "http://h:1"},
                                                {"exemplars"},
                                                {"series"},
                                                {"series", "--match", "up", "-o", "graph"},
                                                {"instant", "up", "--range", "1h"},
                                                {"up", "down"},
                                                {"up", "--nothing"},
                                                {"up", "--timeout", "0"},
                                                {"up", "--range"}}) {
    const auto parsed = parse(words);
    ASSERT_TRUE(std::holds_alternative<int>(parsed));
    EXPECT_EQ(std::get<int>(parsed), 2);
  }
  EXPECT_EQ(std::get<int>(parse({"--help"})), 0);
}

TEST(QueryCommandLine, ExpressionMayStartWithMinusBehindTwoDashes) {
  const auto parsed = parse({"--range", "1h", "-o", "csv", "--url", "http://h:1/p", "--", "-up"});
  ASSERT_TRUE(std::holds_alternative<QueryOptions>(parsed));
  const auto& options = std::get<QueryOptions>(parsed);
  EXPECT_EQ(options.expr, "-up");
  EXPECT_EQ(options.url, "http://h:1/p");
  EXPECT_EQ(options.output, QueryOutput::csv);
}

TEST(QueryCommandLine, KindsOfQuestions) {
  const auto options = [](std::vector<std::string> words) {
    const auto parsed = parse(std::move(words));
    EXPECT_TRUE(std::holds_alternative<QueryOptions>(parsed));
    return std::holds_alternative<QueryOptions>(parsed) ? std::get<QueryOptions>(parsed) : QueryOptions();
  };
  EXPECT_TRUE(options({}).interactive);
  EXPECT_EQ(options({"up"}).kind, QueryKind::instant);
  EXPECT_EQ(options({"up", "--range", "1h"}).kind, QueryKind::range);
  EXPECT_EQ(options({"range", "up"}).step, 14'000);
  EXPECT_EQ(options({"instant", "http://h:1/p", "up"}).url, "http://h:1/p");
  EXPECT_EQ(options({"instant", "range"}).expr, "range");
  const QueryOptions series = options({"series", "--match", "a", "--match", "b", "--range", "1h"});
  EXPECT_EQ(series.matches, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(series.has_span);
  EXPECT_FALSE(options({"labels", "job"}).has_span);
  EXPECT_EQ(options({"labels", "job", "--match", "up"}).expr, "job");
  EXPECT_EQ(options({"labels"}).expr, "");
  EXPECT_TRUE(options({"exemplars", "x"}).has_span);
  EXPECT_EQ(options({"metrics", "node_", "--limit", "5"}).limit, 5u);
}

}  // namespace
}  // namespace pipit
