#include "tools/promql_script.h"

#include <gtest/gtest.h>

#include "tools/promql_script_runner.h"

namespace pipit {
namespace {

TEST(PromqlScript, SaysInWhichLineItMakesNoSense) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"loud 5m", "1: unknown command \"loud\""},
      {"# comment\nload x", "2: invalid step \"x\""},
      {"load 1m\n  a{b=\"c\",} 1x", "2: not a point: 1x"},
      {"load 1m\n  a 1x9999999", "2: more than a million points"},
      {"load 1m\n  a{b!=\"c\"} 1", "2: not a label: b!=\"c\""},
      {"eval instant 5m up", "1: expected \"at\", got \"5m\""},
      {"eval range from 5m to 1m step 1m up", "1: the end is before the start"},
      {"eval range from 0 to 1m step 0 up", "1: the step must be more than zero"},
      {"eval instant at 0 up\n  up 1 2",
       "2: an instant evaluation has one value a series, unless \"expect range vector\" says otherwise"},
      {"eval instant at 0 up\n  expect warn regex: (", "2: invalid regex"},
      {"eval instant at 0 up\n  expect warn\n  expect no_warn", "3: remarks are expected"},
      {"eval instant at 0 up\n  expect string up", "2: expected a quoted string"},
      {"eval instant at 0 up\n  expect nothing", "2: can't expect \"nothing\""},
  };
  for (const auto& c : cases) {
    auto script = parse_promql_script(c.text);
    ASSERT_FALSE(script.ok()) << c.text;
    EXPECT_EQ(script.error().message.substr(0, std::string_view(c.error).size()), c.error) << c.text;
  }
}

TEST(PromqlScript, ReadsSeriesAsUpstreamWritesThem) {
  const struct {
    const char* line;
    const char* labels;
    std::size_t points;
  } cases[] = {
      {"up", "up", 0},
      {"up 1 2 _ stale NaN -Inf", "up", 6},
      {"up{job=\"a b\", x='}'} 1+2x3 _x2 1e3-1.5x1", "up{job=\"a b\", x=\"}\"}", 8},
      {"{} 1x0", "{}", 1},
      {"{\"utf8.name\", \"a.b\"=\"\\n\"} stalex1", "{\"utf8.name\", \"a.b\"=\"\\n\"}", 2},
      {"up {job=\"a\"}\t1", "up{job=\"a\"}", 1},
  };
  for (const auto& c : cases) {
    auto series = parse_script_series(c.line);
    ASSERT_TRUE(series.ok()) << c.line << ": " << series.error().message;
    EXPECT_EQ(series->labels.to_string(), c.labels) << c.line;
    EXPECT_EQ(series->points.size(), c.points) << c.line;
  }
  EXPECT_TRUE(parse_script_series("h {{schema:0 sum:1 count:1}}x2")->has_histograms);
  EXPECT_TRUE(parse_script_series("up{a=\"b\"}@st -1m")->is_start_timestamps);
}

TEST(PromqlScript, SaysWhatWasExpectedAndGot) {
  constexpr const char* kScript = R"(
load 1m
  up{job="a"} 1 1 0
  up{job="b"} 1x2
  histogram {{schema:0 sum:1 count:1}}

eval instant at 2m sum(up)
  {} 2

eval instant at 2m sum(up)
  expect no_info
  {} 1

eval range from 0 to 1m step 1m up
  up{job="a"} 1 1
  up{job="c"} 1 1

eval instant at 0 up +
  expect fail msg: something else

eval instant at 2m histogram_count(histogram)
  {} 1

eval instant at 1m sort(up)
  expect ordered
  up{job="b"} 1
  up{job="a"} 1
)";
  auto report = run_promql_script("up.test", kScript);
  ASSERT_TRUE(report.ok()) << report.error().message;
  ASSERT_EQ(report->outcomes.size(), 6U);
  using Kind = ScriptOutcome::Kind;
  const struct {
    int line;
    Kind kind;
    const char* expected;
    const char* got;
  } expected[] = {
      {7, Kind::failed, "{} 2", "{} 1"},
      {10, Kind::passed, "", ""},
      {14, Kind::failed, "up{job=\"c\"} 1@0s 1@1m", "up{job=\"b\"} 1@0s 1@1m"},
      {18, Kind::failed, "an error: something else", "an error: 1:5: parse error: unexpected end of input"},
      {21, Kind::skipped, "{} 1", "nothing"},
      {24, Kind::failed, "in this order: up{job=\"b\"}\nup{job=\"a\"}", "in this order: up{job=\"a\"}\nup{job=\"b\"}"},
  };
  for (std::size_t i = 0; i < report->outcomes.size(); ++i) {
    const auto& outcome = report->outcomes[i];
    EXPECT_EQ(outcome.line, expected[i].line);
    EXPECT_EQ(outcome.kind, expected[i].kind) << outcome.line;
    EXPECT_EQ(outcome.mismatch ? outcome.mismatch->expected : "", expected[i].expected) << outcome.line;
    EXPECT_EQ(outcome.mismatch ? outcome.mismatch->got : "", expected[i].got) << outcome.line;
  }
}

}  // namespace
}  // namespace pipit
