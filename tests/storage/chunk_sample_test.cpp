// One sample of a chunk, found without decoding all of it, is the one that decoding finds.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "storage/chunk_sample.h"
#include "storage/packed_values.h"

namespace pipit {
namespace {

constexpr TimestampMs kStart = 1'700'000'000'000;

TimeColumn times_of(std::size_t count, bool even) {
  TimeColumn times;
  for (std::size_t i = 0; i < count; ++i) {
    times.push_back(kStart + static_cast<TimestampMs>(i) * 15'000 + (even ? 0 : static_cast<TimestampMs>(i * i % 7)));
  }
  return times;
}

/// Of all kinds that chunks have encodings for.
ValueColumn values_of(int kind, std::size_t count) {
  std::mt19937_64 random(static_cast<unsigned>(kind));
  ValueColumn values;
  for (std::size_t i = 0; i < count; ++i) {
    const auto n = static_cast<double>(i);
    switch (kind) {
      case 0:
        values.push_back(7);
        break;
      case 1:
        values.push_back(n * 4096);
        break;
      case 2:
        values.push_back(std::floor(n / 9));
        break;
      case 3:
        values.push_back(static_cast<double>(random() % 100'000) / 1000);
        break;
      case 4:
        values.push_back(std::bit_cast<double>(random()));
        break;
      case 5:
        values.push_back(std::sin(n));
        break;
      case 6:
        values.push_back(i % 11 == 5 ? stale_nan() : n * 3);
        break;
      default:
        values.push_back(i % 13 == 5 ? std::nan("") : n / 100);
        break;
    }
  }
  return values;
}

TEST(ChunkSampleTest, IsTheNewestUntilATime) {
  PackedValuesEncoder encoder;
  ChunkScratch scratch;
  for (const std::size_t count : {1U, 2U, 3U, 200U}) {
    for (int kind = 0; kind < 8; ++kind) {
      for (const bool even : {true, false}) {
        const auto times = times_of(count, even);
        const auto values = values_of(kind, count);
        for (const bool merged : {true, false}) {
          const std::string chunk = merged ? encode_merged_chunk(times, values, encoder) : encode_chunk(times, values);
          const auto header = read_chunk_header(chunk, times[0]);
          ASSERT_TRUE(header.ok());
          TimestampMs time = 0;
          double value = 0;
          EXPECT_FALSE(newest_sample(*header, times[0] - 1, true, scratch, time, value).value());
          for (std::size_t i = 0; i < count; ++i) {
            for (const DurationMs later : {0, 1, 14'000}) {
              ASSERT_TRUE(newest_sample(*header, times[i] + later, true, scratch, time, value).value());
              EXPECT_EQ(time, times[i]);
              EXPECT_EQ(std::bit_cast<std::uint64_t>(value), std::bit_cast<std::uint64_t>(values[i])) << kind;
              ASSERT_TRUE(newest_sample(*header, times[i] + later, false, scratch, time, value).value());
              EXPECT_EQ(time, times[i]);
              EXPECT_EQ(is_stale_nan(value), is_stale_nan(values[i])) << kind;
            }
          }
        }
      }
    }
  }
}

TEST(ChunkSampleTest, DamageIsAnErrorOrAnotherValueButNoCrash) {
  PackedValuesEncoder encoder;
  ChunkScratch scratch;
  std::mt19937 random(1);
  for (int kind = 0; kind < 8; ++kind) {
    const auto times = times_of(200, kind % 2 == 0);
    const std::string good = encode_merged_chunk(times, values_of(kind, 200), encoder);
    for (int turn = 0; turn < 500; ++turn) {
      std::string chunk = good.substr(0, turn % 3 == 0 ? random() % good.size() : good.size());
      if (!chunk.empty()) chunk[random() % chunk.size()] = static_cast<char>(random());
      const auto header = read_chunk_header(chunk, times[0]);
      if (!header.ok()) continue;
      TimestampMs time;
      double value;
      (void)newest_sample(*header, times[random() % 200], turn % 2 == 0, scratch, time, value);
    }
  }
}

}  // namespace
}  // namespace pipit
