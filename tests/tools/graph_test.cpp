#include "tools/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "tools/graph_axis.h"
#include "tools/query_output.h"

namespace pipit {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr TimestampMs kStart = 1'700'000'000'000;

std::vector<std::string> lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

class GraphTest : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }

  /// One point a minute from kStart.
  static QueryAnswer matrix(const std::vector<std::vector<std::string>>& series) {
    QueryAnswer answer;
    answer.type = AnswerType::matrix;
    for (std::size_t i = 0; i < series.size(); ++i) {
      AnswerSeries& out = answer.series.emplace_back();
      out.labels = Labels({{"n", std::to_string(i)}});
      for (std::size_t k = 0; k < series[i].size(); ++k) {
        if (series[i][k] != "_")
          out.points.push_back({kStart + static_cast<TimestampMs>(k) * 60'000, series[i][k], false});
      }
    }
    return answer;
  }

  static GraphStyle style(std::size_t points) {
    GraphStyle out;
    out.width = 44;
    out.height = 5;
    out.start = kStart;
    out.end = kStart + static_cast<TimestampMs>(points - 1) * 60'000;
    out.step = 60'000;
    return out;
  }
};

TEST_F(GraphTest, DrawsARisingLineWithAxesAndLegend) {
  GraphStyle ascii = style(5);
  ascii.unicode = false;
  EXPECT_EQ(format_graph(matrix({{"0", "1000", "2000", "3000", "4000"}}), ascii),
            "4k +                                aaaaaaaa\n"
            "   |                         aaaaaaaa\n"
            "2k +                aaaaaaaaa\n"
            "   |       aaaaaaaaaa\n"
            " 0 +aaaaaaa\n"
            "   +------+-------------------+-------------\n"
            "        22:14               22:16\n"
            "    2023-11-14 22:13:20 UTC to 2023-11-14 22:17:20 UTC\n"
            "  a {n=\"0\"}\n");
}

TEST_F(GraphTest, BrailleForOneSeriesAndLettersForSeveralWithoutColours) {
  const std::string one = format_graph(matrix({{"1", "2"}}), style(2));
  EXPECT_THAT(one, HasSubstr("━━ {n=\"0\"}"));
  EXPECT_THAT(one, Not(HasSubstr("\x1b[")));
  const std::string two = format_graph(matrix({{"1", "1"}, {"3", "3"}}), style(2));
  EXPECT_THAT(two, HasSubstr("aaaa"));
  EXPECT_THAT(two, HasSubstr("bbbb"));
  EXPECT_THAT(two, HasSubstr("  b {n=\"1\"}"));
}

TEST_F(GraphTest, ColoursTellSeriesApartOnATerminal) {
  GraphStyle color = style(2);
  color.color = true;
  const std::string text = format_graph(matrix({{"1", "1"}, {"3", "3"}}), color);
  EXPECT_THAT(text, HasSubstr("\x1b[38;5;34m━━\x1b[0m {n=\"0\"}"));
  EXPECT_THAT(text, HasSubstr("\x1b[38;5;208m━━\x1b[0m {n=\"1\"}"));
}

TEST_F(GraphTest, NanInfinityAndMissingPointsAreGaps) {
  GraphStyle ascii = style(9);
  ascii.unicode = false;
  for (const char* gap : {"NaN", "+Inf", "-Inf", "_"}) {
    const auto rows = lines(format_graph(matrix({{"1", "1", "1", gap, gap, gap, "1", "1", "1"}}), ascii));
    // 38 columns of plot: a line for a quarter, a gap of half, a line for a quarter.
    EXPECT_THAT(rows.front(), testing::MatchesRegex(" *1 \\+a{10} +a{10}")) << gap;
  }
}

TEST_F(GraphTest, WidthIsKeptWhateverTheValues) {
  for (const std::vector<std::string>& values : {std::vector<std::string>{"1e308", "-1e308"},
                                                 {"5e-324", "0"},
                                                 {"1.0000000000000002", "1"},
                                                 {"-5", "-5"},
                                                 {"0"},
                                                 {"123456789", "123456790"},
                                                 {"1e-9", "2e-9"}}) {
    const auto rows = lines(format_graph(matrix({values}), style(2)));
    ASSERT_GT(rows.size(), 7u);
    for (std::size_t i = 0; i < 7; ++i) EXPECT_LE(display_width(rows[i]), 44u) << rows[i];
  }
}

TEST_F(GraphTest, NothingToDrawSaysSo) {
  EXPECT_EQ(format_graph(matrix({}), style(2)), "");
  EXPECT_EQ(format_graph(matrix({{"NaN"}}), style(2)), "(no numbers to draw)\n  ━━ {n=\"0\"}\n");
}

TEST_F(GraphTest, LegendIsBounded) {
  const std::string text = format_graph(matrix(std::vector<std::vector<std::string>>(75, {"1", "2"})), style(2));
  EXPECT_THAT(text, HasSubstr("and 55 more series"));
}

TEST(FormatSi, UsesPrefixesAndAsFewDigitsAsNeeded) {
  const std::tuple<double, double, const char*> cases[] = {
      {0, 1, "0"},          {1500, 500, "1.5k"},  {1000, 500, "1k"},     {2e6, 1e6, "2M"},
      {0.25, 0.05, "0.25"}, {0.005, 0.001, "5m"}, {2e-6, 1e-6, "2µ"},    {-1500, 500, "-1.5k"},
      {999, 1, "999"},      {1e9, 1e9, "1G"},     {1e21, 1e20, "1e+21"}, {5e-324, 5e-324, "4.94e-324"},
      {1000, 1000, "1k"},   {0.3, 0.1, "0.3"},
  };
  for (const auto& [value, step, expected] : cases) EXPECT_EQ(format_si(value, step), expected) << value;
}

TEST(ValueAxis, LabelsRoundNumbers) {
  EXPECT_EQ(make_value_axis(3, 97, 5).labels, (std::vector<std::string>{"0", "20", "40", "60", "80", "100"}));
  EXPECT_EQ(make_value_axis(-0.1, 0.2, 3).labels, (std::vector<std::string>{"-0.1", "0", "0.1", "0.2"}));
  EXPECT_EQ(make_value_axis(1'000'000, 1'000'004, 4).labels.back(), "1.000004M");
  EXPECT_EQ(make_value_axis(1, 1, 2).labels, (std::vector<std::string>{"0", "0.5", "1"}));
}

TEST(TimeAxis, StandsOnRoundTimes) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(make_time_axis(kStart, kStart + 3'600'000, 4).labels,
            (std::vector<std::string>{"22:15", "22:30", "22:45", "23:00"}));
  EXPECT_EQ(make_time_axis(kStart, kStart + 60'000, 4).labels,
            (std::vector<std::string>{"22:13:30", "22:13:45", "22:14:00", "22:14:15"}));
  EXPECT_EQ(make_time_axis(kStart, kStart + 7LL * 86'400'000, 4).labels,
            (std::vector<std::string>{"Nov 15", "Nov 17", "Nov 19", "Nov 21"}));
}

}  // namespace
}  // namespace pipit
