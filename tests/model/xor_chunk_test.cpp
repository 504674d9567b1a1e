#include "model/xor_chunk.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace pipit {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

void expect_round_trip(const std::vector<TimestampMs>& times, const std::vector<double>& values) {
  std::string chunk;
  encode_xor_chunk(times, values, chunk);
  std::vector<TimestampMs> read_times;
  std::vector<double> read_values;
  ASSERT_TRUE(decode_xor_chunk(chunk, read_times, read_values));
  EXPECT_EQ(read_times, times);
  ASSERT_EQ(read_values.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint64_t>(read_values[i]), std::bit_cast<std::uint64_t>(values[i])) << i;
  }
  for (std::size_t size = 0; size < chunk.size(); ++size) {
    read_times.clear();
    read_values.clear();
    EXPECT_FALSE(decode_xor_chunk(std::string_view(chunk).substr(0, size), read_times, read_values)) << size;
  }
}

TEST(XorChunkTest, BytesAreThoseOfTheFormat) {
  // By hand: count 3; time 1 as varint 02, 1.0; step 1; the same value: bit 0; step unchanged: 0; 2.0 differs in the
  // eleven bits from 0x7ff0...: 1 1, leading 1, 11 bits of them: 00001 001011 11111111111.
  std::string chunk;
  encode_xor_chunk(std::vector<TimestampMs>{1, 2, 3}, std::vector<double>{1, 1, 2}, chunk);
  EXPECT_EQ(hex(chunk),
            "0003"
            "02"
            "3ff0000000000000"
            "01"
            "30"
            "97ff"
            "c0");
}

TEST(XorChunkTest, AnySamplesComeBackBitForBit) {
  expect_round_trip({0}, {0});
  expect_round_trip({-5, 1'700'000'000'000}, {HUGE_VAL, stale_nan()});
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<TimestampMs> times;
    std::vector<double> values;
    TimestampMs time = static_cast<TimestampMs>(random() % 2'000'000'000'000) - 1'000'000'000'000;
    const unsigned jitter = static_cast<unsigned>(random() % 50);
    for (std::size_t i = 0; i < 1 + random() % 150; ++i) {
      time += 1 + static_cast<TimestampMs>(random() >> (14 + jitter));
      times.push_back(time);
      values.push_back(random() % 3 == 0   ? std::bit_cast<double>(random())
                       : random() % 2 == 0 ? static_cast<double>(i / 3)
                                           : 0.1 * static_cast<double>(random() % 100));
    }
    expect_round_trip(times, values);
  }
}

TEST(XorChunkTest, EveryClassOfStepsComesBack) {
  for (const std::int64_t edge : {1LL << 13, 1LL << 16, 1LL << 19, 1LL << 40}) {
    for (std::int64_t off = -2; off <= 2; ++off) {
      const std::int64_t base = 1LL << 45;
      expect_round_trip({0, base, 2 * base + edge + off}, {1, 2, 3});
      expect_round_trip({0, base, 2 * base - edge + off}, {1, 2, 3});
    }
  }
}

}  // namespace
}  // namespace pipit
