#include "storage/chunk.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "storage/chunk_sample.h"
#include "storage/decimal.h"
#include "storage/integer_packer.h"
#include "storage/integer_unpacker.h"
#include "storage/open_chunk.h"
#include "storage/packed_values.h"

namespace pipit {
namespace {

struct Samples {
  TimeColumn times;
  ValueColumn values;
};

std::vector<std::uint64_t> bits_of(const ValueColumn& values) {
  std::vector<std::uint64_t> bits;
  for (const double v : values) bits.push_back(std::bit_cast<std::uint64_t>(v));
  return bits;
}

Samples decode(std::string_view chunk, TimestampMs start) {
  Samples samples;
  const Status status = decode_chunk(chunk, start, samples.times, samples.values);
  EXPECT_TRUE(status.ok()) << status.error().message;
  return samples;
}

/// What a chunk says of its samples is what they say.
void expect_summary(const std::string& chunk, const Samples& samples) {
  const auto header = read_chunk_header(chunk, samples.times.front());
  ASSERT_TRUE(header.ok());
  const auto summary = summarize_chunk(*header);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  if (!*summary) return;
  ChunkSummary expected;
  double sum = 0;
  for (const double v : samples.values) {
    if (is_stale_nan(v)) continue;
    ASSERT_TRUE(std::isfinite(v));
    if (expected.count++ == 0) expected.first = expected.last = expected.min = expected.max = v;
    if (v != expected.last) ++expected.changes;
    if (v < expected.last) ++expected.resets;
    expected.last = v;
    expected.min = std::min(expected.min, v);
    expected.max = std::max(expected.max, v);
    sum += v;
  }
  EXPECT_EQ((*summary)->count, expected.count);
  EXPECT_EQ((*summary)->first, expected.first);
  EXPECT_EQ((*summary)->last, expected.last);
  EXPECT_EQ((*summary)->min, expected.min);
  EXPECT_EQ((*summary)->max, expected.max);
  EXPECT_EQ((*summary)->changes, expected.changes);
  EXPECT_EQ((*summary)->resets, expected.resets);
  if ((*summary)->sum) {
    EXPECT_EQ(*(*summary)->sum, sum);
  }
}

/// The last sample comes out of a chunk by itself as it does with the others.
void expect_newest(const std::string& chunk, const Samples& samples) {
  const auto header = read_chunk_header(chunk, samples.times.front());
  ASSERT_TRUE(header.ok());
  ASSERT_EQ(header->end, samples.times.back());
  ChunkScratch scratch;
  TimestampMs time = 0;
  double value = 0;
  const auto found = newest_sample(*header, header->end, true, scratch, time, value);
  ASSERT_TRUE(found.ok() && *found);
  ASSERT_EQ(time, header->end);
  ASSERT_EQ(std::bit_cast<std::uint64_t>(value), std::bit_cast<std::uint64_t>(samples.values.back()))
      << "encoding " << int{header->layout};
}

/// Both ways into the format, sealed at once and grown sample by sample, give back the same bits.
void expect_round_trip(const Samples& samples) {
  PackedValuesEncoder encoder;
  for (const std::string& chunk :
       {encode_chunk(samples.times, samples.values), encode_merged_chunk(samples.times, samples.values, encoder)}) {
    const Samples back = decode(chunk, samples.times.front());
    ASSERT_EQ(back.times, samples.times);
    ASSERT_EQ(bits_of(back.values), bits_of(samples.values));
    expect_summary(chunk, samples);
    expect_newest(chunk, samples);
  }

  TimeTracks tracks;
  OpenChunk open;
  Samples grown;
  for (std::size_t i = 0; i < samples.times.size(); ++i) {
    if (open.full()) {
      const TimestampMs first = open.first_time();
      decode_chunk(open.seal(), first, grown.times, grown.values).ok();
      open.clear();
    }
    open.append(samples.times[i], samples.values[i], tracks);
  }
  std::string copy;
  open.copy_to(copy);
  const TimestampMs first = open.first_time();
  const Samples from_copy = decode(copy, first);
  const Samples from_seal = decode(open.seal(), first);
  ASSERT_EQ(bits_of(from_copy.values), bits_of(from_seal.values));
  ASSERT_EQ(from_copy.times, from_seal.times);
  expect_newest(copy, from_copy);
  grown.times.insert(grown.times.end(), from_seal.times.begin(), from_seal.times.end());
  grown.values.insert(grown.values.end(), from_seal.values.begin(), from_seal.values.end());
  ASSERT_EQ(grown.times, samples.times);
  ASSERT_EQ(bits_of(grown.values), bits_of(samples.values));
}

Samples regular(ValueColumn values) {
  Samples samples{{}, std::move(values)};
  for (std::size_t i = 0; i < samples.values.size(); ++i) {
    samples.times.push_back(1'700'000'000'000 + static_cast<TimestampMs>(i) * 15'000);
  }
  return samples;
}

TEST(Chunk, RoundTripsHostileDoubles) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<ValueColumn> runs = {
      {0},
      {-0.0},
      {0, -0.0, 0, -0.0},
      {stale_nan()},
      {stale_nan(), stale_nan(), 1, 1, stale_nan(), 1},
      {1, 2, stale_nan(), 2, 2, 3},
      {normal_nan(), stale_nan(), std::bit_cast<double>(0xfff8000000000000ULL), std::bit_cast<double>(~0ULL)},
      {inf, -inf, inf, 0, -inf},
      {0.1, 0.2, 0.30000000000000004, 0.3},
      {1e15, 1e16, 1e22, 1e23, 1e300, 1e-300, 5e-324, -5e-324},
      {9007199254740991.0, 9007199254740992.0, 9007199254740993.0, -9007199254740991.0, -9007199254740992.0},
      {1.5, 1e15, 0.000000000000001, 123456789.123456789},
      {std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest(), std::numeric_limits<double>::min()},
      {4096, 8192, 4096 * 100, 4096 * 3, stale_nan(), 4096},
      {M_PI, M_E, std::sqrt(2.0), 1 / 3.0, 2 / 3.0, 1e-9 / 3, 7e9 / 11, 0.5, 0.25, 1.0 / 1024},
  };
  for (const auto& values : runs) expect_round_trip(regular(values));
}

TEST(Chunk, RoundTripsRandomRuns) {
  std::mt19937_64 random(7);
  const auto random_value = [&](unsigned kind, double last) {
    switch (kind) {
      case 0:
        return std::bit_cast<double>(random());
      case 1:
        return last + static_cast<double>(random() % 100);
      case 2:
        return static_cast<double>(random() % 100'000) / 1000;
      case 3:
        return last + static_cast<double>(random() % 1000) / 7;
      case 4:
        return random() % 4 != 0 ? last : static_cast<double>(random() % 5);
      case 5:
        return static_cast<double>(random() % 1000) * 4096;
      default:
        return random() % 2 != 0 ? stale_nan() : last;
    }
  };
  for (int round = 0; round < 3000; ++round) {
    Samples samples;
    auto time = static_cast<TimestampMs>(random() % 2'000'000'000'000) - 100'000'000;
    double last = 0;
    const std::size_t count = round % 50 == 0 ? 2500 : 1 + random() % 100;
    const auto kind = static_cast<unsigned>(random() % 8);
    const auto time_kind = random() % 3;
    for (std::size_t i = 0; i < count; ++i) {
      last = random_value(kind == 7 ? static_cast<unsigned>(random() % 7) : kind, last);
      samples.times.push_back(time);
      samples.values.push_back(last);
      time += time_kind == 0 ? 15'000 : time_kind == 1 ? 15'000UL * (1 + (random() % 20 == 0)) : 1 + random() % 30'000;
    }
    expect_round_trip(samples);
    if (HasFatalFailure()) FAIL() << "in round " << round << ", values of kind " << kind;
  }
}

TEST(Chunk, RoundTripsTimesAtTheLimits) {
  for (const TimeColumn& times :
       std::vector<TimeColumn>{{kMinTimestamp, kMaxTimestamp},
                               {kMinTimestamp, 0, kMaxTimestamp},
                               {kMinTimestamp, kMinTimestamp + 1, kMaxTimestamp - 1, kMaxTimestamp},
                               {-3, -2, -1, 0, 1, 5},
                               {0, std::int64_t{1} << 33, std::int64_t{2} << 33}}) {
    expect_round_trip({times, ValueColumn(times.size(), 1.5)});
  }
}

TEST(Chunk, ChunksOfOneTargetShareTheirTimes) {
  TimeTracks tracks;
  std::array<OpenChunk, 40> all;
  std::array<Samples, 40> expected;
  std::minstd_rand random(7);
  TimestampMs time = 1'700'000'000'000;
  for (int scrape = 0; scrape < 400; ++scrape) {
    time += scrape % 5 == 4 ? 1000 + static_cast<TimestampMs>(random() % 100) : 1000;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool misses = (i == 7 && scrape % 50 == 20) || (i == 8 && scrape > 300) || (i == 9 && scrape < 30);
      if (misses) continue;
      const double value = i % 3 == 0 ? scrape / 10.0 : 5;
      all[i].append(time, value, tracks);
      expected[i].times.push_back(time);
      expected[i].values.push_back(value);
    }
    if (scrape % 61 != 0) continue;
    for (std::size_t i = 0; i < all.size(); ++i) {  // in the middle of a chunk as well
      if (all[i].empty()) continue;
      std::string copy;
      all[i].copy_to(copy);
      ASSERT_EQ(decode(copy, all[i].first_time()).times, expected[i].times) << i;
    }
  }
  EXPECT_LT(tracks.bytes(), 6000u);  // three tracks, where forty would be 20,000
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Samples back = decode(all[i].seal(), all[i].first_time());
    EXPECT_EQ(back.times, expected[i].times) << i;
    EXPECT_EQ(back.values, expected[i].values) << i;
    all[i].clear();
  }
}

TEST(Chunk, UnchangingSeriesCostNothing) {
  TimeTracks tracks;
  OpenChunk open;
  for (int i = 0; i < 480; ++i) open.append(i * 15'000LL, 42.5, tracks);
  EXPECT_EQ(open.heap_bytes(), 0u);
  EXPECT_LE(open.seal().size(), 12u);
  EXPECT_LE(sizeof(OpenChunk), 72u);
}

TEST(Chunk, DecimalsStayDecimalsBesideStaleMarkers) {
  ValueColumn values;
  for (int i = 0; i < 400; ++i) values.push_back(i % 100 == 50 ? stale_nan() : (1000 + i % 7) / 100.0);
  EXPECT_LE(encode_chunk(regular(values).times, values).size(), 500u);
}

TEST(Chunk, MemoryInPagesIsCountedInPages) {
  ValueColumn values;
  for (int i = 0; i < 400; ++i) values.push_back(4096.0 * (100'000 + i * 37 % 50));
  EXPECT_LE(encode_chunk(regular(values).times, values).size(), 450u);
}

TEST(Chunk, DamagedBytesAreErrorsOrOtherSamplesButNeverHarm) {
  std::mt19937_64 random(11);
  Samples samples;
  for (int i = 0; i < 200; ++i) {
    samples.times.push_back(i * 1000LL + static_cast<TimestampMs>(random() % 900));
    samples.values.push_back(i % 3 == 0 ? stale_nan() : static_cast<double>(random() % 1000) / 10);
  }
  PackedValuesEncoder encoder;
  std::vector<std::string> chunks{encode_chunk(samples.times, samples.values)};
  for (double& v : samples.values) v = is_stale_nan(v) ? static_cast<double>(random() % 100'000) : v;
  samples.values[50] = stale_nan();
  chunks.push_back(encode_merged_chunk(samples.times, samples.values, encoder));
  for (std::size_t i = 0; i < 200; ++i)
    samples.values[i] = i % 7 == 0 ? static_cast<double>(i * i) : samples.values[i / 7 * 7];
  chunks.push_back(encode_merged_chunk(samples.times, samples.values, encoder));
  for (int round = 0; round < 60'000; ++round) {
    std::string bad = chunks[static_cast<std::size_t>(round) % chunks.size()];
    if (round % 2 == 0) bad.resize(random() % bad.size());
    for (std::uint64_t i = random() % 4; i > 0 && !bad.empty(); --i) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    Samples out;
    if (decode_chunk(bad, 0, out.times, out.values).ok()) {
      EXPECT_EQ(out.times.size(), out.values.size());
      EXPECT_TRUE(std::is_sorted(out.times.begin(), out.times.end(), std::less_equal<>()));
    } else {
      EXPECT_TRUE(out.times.empty());
    }
    if (const auto header = read_chunk_header(bad, 0); header.ok()) {
      (void)summarize_chunk(*header).ok();
    }
  }
}

/// Decoders multiply where they can: each quotient must be that of a division.
TEST(Chunk, RoundTripsDecimalsOfEveryScaleAndSize) {
  std::mt19937_64 random(11);
  PackedValuesEncoder encoder;
  for (int scale = 0; scale <= kMaxDecimalScale; ++scale) {
    for (unsigned bits = 4; bits <= 53; ++bits) {
      for (const bool below_zero : {false, true}) {
        ValueColumn values;
        for (int i = 0; i < 400; ++i) {
          auto n = static_cast<std::int64_t>(random() >> (64 - bits));
          if (i % 7 == 0) n = (std::int64_t{1} << bits) - 1 - n % 8;
          values.push_back(from_decimal(below_zero && i % 2 == 0 ? -n : n, scale));
        }
        const Samples samples = regular(values);
        const Samples back = decode(encode_merged_chunk(samples.times, values, encoder), samples.times.front());
        ASSERT_EQ(bits_of(back.values), bits_of(values)) << "scale " << scale << ", " << bits << " bits";
      }
    }
  }
}

/// Runs that are long and changing enough to be packed: all forms of lists, with and without exceptions.
TEST(Chunk, RoundTripsPackedRuns) {
  std::mt19937_64 random(5);
  std::map<std::string, int> forms;
  for (int round = 0; round < 600; ++round) {
    const std::size_t count = round % 20 == 0 ? kMaxMergedSamples : 20 + random() % 1500;
    const unsigned kind = static_cast<unsigned>(round) % 10;
    const unsigned specials = random() % 3 == 0 ? 30 : 0;
    ValueColumn values;
    double at = static_cast<double>(random() % 100'000);
    double slope = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto noise = static_cast<double>(random() % 1000);
      switch (kind) {
        case 0:  // noise around a level
          at = 50'000 + noise * static_cast<double>(random() % 100 == 0 ? 1000 : 1);
          break;
        case 1:  // a counter
          at += noise;
          break;
        case 2:  // a smooth curve
          at += slope += noise / 100;
          break;
        case 3:  // a few changes
          if (random() % 10 == 0) at += noise;
          break;
        case 4:  // a counter with resets, in thousandths
          at = random() % 100 == 0 ? 0 : std::round((at + noise / 1000) * 1000) / 1000;
          break;
        case 5:  // true doubles
          at += noise / 7;
          break;
        case 6:  // doubles of both signs
          at = (noise - 500) / 7;
          break;
        case 7:  // pages of memory
          at += (noise - 500) * 4096;
          break;
        case 8:  // any bits
          at = std::bit_cast<double>(random());
          break;
        default:  // floats
          at = static_cast<float>(noise) / 3.0F;
      }
      const double special[] = {stale_nan(), normal_nan(), -0.0, std::numeric_limits<double>::infinity()};
      const bool is_special_now = specials != 0 && random() % specials == 0;
      values.push_back(is_special_now ? special[round % 2 == 0 ? 0 : random() % 4] : at);
    }
    const Samples samples = regular(values);
    PackedValuesEncoder encoder;
    const std::string chunk = encode_merged_chunk(samples.times, samples.values, encoder);
    ++forms[std::to_string(chunk[1]) + (chunk[1] == 4 ? ":" + std::to_string(chunk[6] >> 5 & 3) : "")];
    const Samples back = decode(chunk, samples.times.front());
    ASSERT_EQ(back.times, samples.times);
    ASSERT_EQ(bits_of(back.values), bits_of(samples.values)) << "kind " << kind;
    expect_summary(chunk, samples);
    expect_newest(chunk, samples);
    if (HasFatalFailure()) FAIL() << "in round " << round << ", values of kind " << kind;
  }
  EXPECT_GE(forms.size(), 5u) << "not all forms were tried";
}

TEST(Chunk, SummariesAreThereWhenSamplesArePlain) {
  PackedValuesEncoder encoder;
  const auto summary_of = [&](const ValueColumn& values) {
    const std::string chunk = encode_merged_chunk(regular(values).times, values, encoder);
    return summarize_chunk(read_chunk_header(chunk, regular(values).times[0]).value()).value();
  };
  ValueColumn values;
  for (int i = 0; i < 500; ++i) values.push_back(i * 7 % 100);
  ASSERT_TRUE(summary_of(values).has_value());
  EXPECT_TRUE(summary_of(values)->sum.has_value());
  values[100] = stale_nan();
  ASSERT_TRUE(summary_of(values).has_value());
  EXPECT_EQ(summary_of(values)->count, 499u);
  values[200] = 0.5;
  EXPECT_FALSE(summary_of(values)->sum.has_value()) << "such sums are rounded";
  values[300] = normal_nan();
  EXPECT_FALSE(summary_of(values).has_value());
  EXPECT_FALSE(summary_of({stale_nan(), stale_nan()}).has_value());
  EXPECT_EQ(summary_of({3, 3, 3})->sum, 9);
}

TEST(Chunk, ListsOfIntegersComeBackAsTheyWere) {
  std::mt19937_64 random(3);
  IntegerPacker packer;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t count = round % 100 == 0 ? kMaxPackedIntegers : 1 + random() % 600;
    const unsigned width = static_cast<unsigned>(random() % 65);
    const unsigned outliers = static_cast<unsigned>(random() % 65);
    std::vector<std::uint64_t> integers;
    for (std::size_t i = 0; i < count; ++i) {
      const unsigned bits = random() % 20 == 0 ? outliers : width;
      const std::uint64_t value = bits == 0 ? 0 : random() >> (64 - bits);
      integers.push_back(round % 3 == 0 ? value : value - (std::uint64_t{1} << 40));
    }
    std::string bytes = "before";
    packer.plan(integers);
    packer.write(bytes);
    std::vector<std::uint64_t> back(count);
    IntegerUnpacker unpacker;
    ASSERT_TRUE(unpacker.unpack(std::string_view(bytes).substr(6), back)) << round;
    ASSERT_EQ(back, integers);
  }
}

TEST(Chunk, NoiseCostsItsEntropy) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> noise(2e-4, 3e-5);  // a duration in nanoseconds
  ValueColumn values;
  for (int i = 0; i < 5760; ++i) values.push_back(std::round(noise(random) * 1e9) / 1e9);
  PackedValuesEncoder encoder;
  const std::size_t bytes = encode_merged_chunk(regular(values).times, values, encoder).size();
  // log2(30000 * sqrt(2 pi e)) bits a sample
  EXPECT_LE(static_cast<double>(bytes) * 8 / 5760, 16.92 * 1.01);
}

TEST(Chunk, ANewerTypeIsNamed) {
  std::string chunk = encode_chunk(TimeColumn{1}, ValueColumn{1});
  chunk[0] = 9;
  const auto header = read_chunk_header(chunk, 1);
  ASSERT_FALSE(header.ok());
  EXPECT_NE(header.error().message.find("type 9"), std::string::npos);
}

}  // namespace
}  // namespace pipit
