#include "model/number.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace pipit {
namespace {

std::string fixed(double v) {
  std::string out;
  append_float(out, v);
  return out;
}

TEST(Number, PrintsWithoutExponents) {
  const std::pair<double, const char*> cases[] = {
      {0, "0"},
      {-0.0, "-0"},
      {1, "1"},
      {0.1, "0.1"},
      {1e21, "1000000000000000000000"},
      {9007199254740991, "9007199254740991"},
      {9007199254740994, "9007199254740994"},
      {18446744073709551615.0, "18446744073709552000"},
      {-1.7e30, "-1700000000000000000000000000000"},
      {1e-7, "0.0000001"},
      {-2.5, "-2.5"},
      {std::nan(""), "NaN"},
      {std::numeric_limits<double>::infinity(), "+Inf"},
      {-std::numeric_limits<double>::infinity(), "-Inf"},
  };
  for (const auto& [v, text] : cases) EXPECT_EQ(fixed(v), text);
}

TEST(Number, PrintsAsTheApiDoes) {
  const std::pair<double, const char*> cases[] = {
      {0, "0"},
      {-0.0, "-0"},
      {1e-6, "0.000001"},
      {9.5e-7, "9.5e-07"},
      {1e20, "100000000000000000000"},
      {-1e21, "-1e+21"},
      {5e-324, "5e-324"},
      {1.7e308, "1.7e+308"},
      {std::nan(""), "NaN"},
      {-std::numeric_limits<double>::infinity(), "-Inf"},
  };
  for (const auto& [v, text] : cases) {
    std::string out;
    append_api_float(out, v);
    EXPECT_EQ(out, text);
  }
}

TEST(Number, PrintsWithExponentsAtTheEnds) {
  const std::pair<double, const char*> cases[] = {{100000, "100000"},
                                                  {999999.5, "999999.5"},
                                                  {1e6, "1e+06"},
                                                  {123456789, "1.23456789e+08"},
                                                  {1e21, "1e+21"},
                                                  {1e-4, "0.0001"},
                                                  {1e-5, "1e-05"},
                                                  {1.5e300, "1.5e+300"},
                                                  {0, "0"},
                                                  {-2.5e6, "-2.5e+06"},
                                                  {9223372036854775808.0, "9.223372036854776e+18"}};
  for (const auto& [v, text] : cases) EXPECT_EQ(format_float_g(v), text);
}

TEST(Number, EveryDoubleReadsBackTheSame) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto v = std::bit_cast<double>(random());
    if (std::isnan(v)) continue;
    EXPECT_EQ(parse_float(fixed(v)), v);
    EXPECT_EQ(parse_float(format_float_g(v)), v);
  }
}

TEST(Number, ParsesWhatGoParses) {
  const std::pair<const char*, double> cases[] = {
      {"1", 1},
      {"+1.5", 1.5},
      {"-1e-3", -0.001},
      {".5", 0.5},
      {"5.", 5},
      {"0x1p-2", 0.25},
      {"0X1.8P1", 3},
      {"1e-400", 0},
      {"inf", std::numeric_limits<double>::infinity()},
      {"+Inf", std::numeric_limits<double>::infinity()},
      {"-INFINITY", -std::numeric_limits<double>::infinity()},
      {"1E6", 1e6},
  };
  for (const auto& [text, v] : cases) EXPECT_EQ(parse_float(text), v) << text;
  EXPECT_TRUE(std::isnan(*parse_float("NaN")));
  for (const char* bad :
       {"", "+", "-", "1x", " 1", "1 ", "0x", "0x1", "1e", "1e400", "in", "infx", "--1", "e5", ".", "+nan", "1,5"}) {
    EXPECT_FALSE(parse_float(bad)) << bad;
  }
}

}  // namespace
}  // namespace pipit
