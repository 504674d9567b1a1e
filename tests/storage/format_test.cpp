// The formats of docs/storage.md: its worked examples, and records and keys that come back as they were.

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <random>

#include "storage/chunk.h"
#include "storage/keys.h"
#include "storage/log_record.h"
#include "storage/packed_values.h"
#include "storage/postings.h"

namespace pipit {
namespace {

/// The bytes of the documentation's line that starts with `    <name>: `.
std::string documented(const std::string& name) {
  std::ifstream in(std::string(PIPIT_SOURCE_DIR) + "/docs/storage.md");
  const std::string prefix = "    " + name + ": ";
  std::string bytes;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(prefix)) continue;
    std::string digits;
    for (const char c : line.substr(prefix.size())) {
      if (c != ' ') digits += c;
    }
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
      bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    }
  }
  EXPECT_FALSE(bytes.empty()) << "docs/storage.md has no example " << name;
  return bytes;
}

constexpr TimestampMs kTime = 1'700'000'000'000;

std::vector<std::uint64_t> all_bits(const ValueColumn& values) {
  std::vector<std::uint64_t> bits;
  bits.reserve(values.size());
  for (const double v : values) bits.push_back(std::bit_cast<std::uint64_t>(v));
  return bits;
}

TEST(Format, TheDocumentedChunk) {
  const ValueColumn values{1.5, 1.5, 1.5, 2.5, stale_nan()};
  TimeColumn times;
  times.reserve(values.size());
  for (int i = 0; i < 5; ++i) times.push_back(kTime + i * 15'000LL);
  TimeColumn read_times;
  ValueColumn read_values;
  ASSERT_TRUE(decode_chunk(documented("chunk"), kTime, read_times, read_values).ok());
  EXPECT_EQ(read_times, times);
  EXPECT_EQ(all_bits(read_values), all_bits(values));
  EXPECT_EQ(encode_chunk(times, values), documented("chunk"));
}

TEST(Format, TheDocumentedMergedChunk) {
  const ValueColumn values{20, 21, 21.5, 20.5, 20, 21, stale_nan(), 22, 22.5, 21.5, 20.5, 21};
  TimeColumn times;
  times.reserve(values.size());
  for (int i = 0; i < 12; ++i) times.push_back(kTime + i * 15'000LL);
  const std::string chunk = documented("merged");
  TimeColumn read_times;
  ValueColumn read_values;
  ASSERT_TRUE(decode_chunk(chunk, kTime, read_times, read_values).ok());
  EXPECT_EQ(read_times, times);
  EXPECT_EQ(all_bits(read_values), all_bits(values));
  PackedValuesEncoder encoder;
  EXPECT_EQ(encode_merged_chunk(times, values, encoder), chunk);
  const auto summary = summarize_chunk(read_chunk_header(chunk, kTime).value()).value();
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->count, 11u);
  EXPECT_EQ(summary->first, 20);
  EXPECT_EQ(summary->last, 21);
  EXPECT_EQ(summary->min, 20);
  EXPECT_EQ(summary->max, 22.5);
  EXPECT_EQ(summary->changes, 10u);
  EXPECT_EQ(summary->resets, 4u);
}

TEST(Format, TheDocumentedRecord) {
  const std::vector<SeriesId> ids{make_series_id(1, 0), make_series_id(1, 1), make_series_id(2, 0)};
  const ValueColumn values{1.5, 42, stale_nan()};
  LogRecordReader reader;
  const std::string record = documented("record");
  ASSERT_TRUE(reader.open(record).ok());
  EXPECT_EQ(reader.epoch(), 1u);
  EXPECT_EQ(std::vector<SeriesId>(reader.ids().begin(), reader.ids().end()), ids);
  LogRecordWriter writer;
  writer.begin(1, 0, 3, SeriesList::inlined, 0);
  for (const SeriesId id : ids) writer.add_id(id);
  writer.set_times(TimeColumn{kTime});
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(reader.time(i), kTime);
    double value;
    ASSERT_TRUE(reader.next_value({}, value));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(value), std::bit_cast<std::uint64_t>(values[i]));
    writer.add_value(values[i], {});
  }
  EXPECT_EQ(writer.finish(), record);
}

double hostile_value(std::mt19937_64& random) {
  switch (random() % 6) {
    case 0:
      return std::bit_cast<double>(random());
    case 1:
      return stale_nan();
    case 2:
      return -0.0;
    case 3:
      return static_cast<double>(random() % 1000) / 1000;
    default:
      return static_cast<double>(random() % 10);
  }
}

TEST(Format, RecordsComeBackAsTheyWere) {
  std::mt19937_64 random(1);
  LogRecordWriter writer;
  LogRecordReader reader;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t count = 1 + random() % 40;
    const auto list = static_cast<SeriesList>(random() % 3);
    std::vector<SeriesId> ids;
    TimeColumn times;
    ValueColumn values;
    std::vector<Predictor> predictors;
    for (std::size_t i = 0; i < count; ++i) {
      ids.push_back(random() % 2 == 0 ? random() : make_series_id(7, static_cast<std::uint32_t>(random() % 9)));
      times.push_back(static_cast<TimestampMs>(random()));
      values.push_back(hostile_value(random));
      predictors.push_back({std::bit_cast<std::uint64_t>(random() % 2 == 0 ? values.back() : hostile_value(random)),
                            random() % 4 != 0, static_cast<int>(random() % 17) - 1});
    }
    if (random() % 2 == 0) times.resize(1);
    writer.begin(random(), random(), count, list, random());
    if (list != SeriesList::known) {
      for (const SeriesId id : ids) writer.add_id(id);
    }
    writer.set_times(times);
    for (std::size_t i = 0; i < count; ++i) writer.add_value(values[i], predictors[i]);
    std::string record(writer.finish());
    ASSERT_TRUE(reader.open(record).ok());
    ASSERT_EQ(reader.count(), count);
    if (list != SeriesList::known) {
      ASSERT_EQ(std::vector<SeriesId>(reader.ids().begin(), reader.ids().end()), ids);
    }
    for (std::size_t i = 0; i < count; ++i) {
      double value = 0;
      predictors[i].scale = 0;  // a reader has no hint
      ASSERT_TRUE(reader.next_value(predictors[i], value));
      ASSERT_EQ(std::bit_cast<std::uint64_t>(value), std::bit_cast<std::uint64_t>(values[i]));
      ASSERT_EQ(reader.time(i), times.size() == 1 ? times[0] : times[i]);
    }
    // Damage is an error or other samples.
    for (int damage = 0; damage < 5; ++damage) {
      record[random() % record.size()] = static_cast<char>(random());
      if (damage == 4) record.resize(random() % record.size());
      LogRecordReader other;
      double value;
      if (!other.open(record).ok()) continue;
      for (std::size_t i = 0; i < other.count() && other.next_value({}, value); ++i) continue;
    }
  }
}

TEST(Format, KeysSortByDayThenSeriesThenStart) {
  const std::vector<std::pair<SeriesId, TimestampMs>> in_order = {{1, kMinStorableTime},
                                                                  {5, -2 * kPartitionMs},
                                                                  {5, -2 * kPartitionMs + 1},
                                                                  {1, -1},
                                                                  {1, 0},
                                                                  {1, 1},
                                                                  {make_series_id(1, 0), 1},
                                                                  {make_series_id(1, 0xffffffff), 0},
                                                                  {make_series_id(2, 0), 0},
                                                                  {make_series_id(0xffffffff, 1), kPartitionMs - 1},
                                                                  {1, kPartitionMs},
                                                                  {1, kMaxStorableTime}};
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    const std::string key = chunk_key(in_order[i].first, in_order[i].second);
    ChunkKey parsed;
    ASSERT_TRUE(parse_chunk_key(key, parsed));
    EXPECT_EQ(parsed.id, in_order[i].first);
    EXPECT_EQ(parsed.start, in_order[i].second);
    EXPECT_EQ(parsed.partition, partition_of(in_order[i].second));
    if (i > 0) {
      EXPECT_LT(chunk_key(in_order[i - 1].first, in_order[i - 1].second), key) << i;
    }
  }
}

TEST(Format, PostingListsComeBackAsTheyWere) {
  constexpr std::uint64_t kAny = std::uint64_t{1} << 32;
  for (const Postings& postings :
       std::vector<Postings>{{}, {0}, {0, 1, 2}, {0, 1, 2, 3, 4, 9}, {5, 6, 7, 8, 1000, 0xfffffffe, 0xffffffff}}) {
    Postings back;
    ASSERT_TRUE(decode_postings(encode_postings(postings), kAny, back));
    EXPECT_EQ(back, postings);
    PostingRuns runs;
    ASSERT_TRUE(unite_stored(runs, encode_postings(postings)));
    EXPECT_EQ(numbers_of(runs), postings);
    EXPECT_EQ(runs, runs_of(postings));
  }
  Postings back;
  EXPECT_FALSE(decode_postings("", kAny, back));
  EXPECT_FALSE(decode_postings("\x07\x01", kAny, back));
  EXPECT_FALSE(decode_postings(std::string("\x01\x05\x00", 3), kAny, back)) << "a run without its length";
  EXPECT_FALSE(decode_postings(std::string("\x01\x05\x00\x00", 4), kAny, back)) << "an empty run";
  EXPECT_FALSE(decode_postings("\x01\xff\xff\xff\xff\x0f\x01", kAny, back)) << "beyond 32 bits";
  const std::string gigabyte("\x01\x01\x00\xff\xff\xff\x7f", 7);
  EXPECT_FALSE(decode_postings(gigabyte, 1000, back)) << "more than there are series";
  EXPECT_LT(back.capacity(), 2000u);
  EXPECT_TRUE(decode_postings(encode_postings({3, 9}), 10, back));
  EXPECT_FALSE(decode_postings(encode_postings({3, 9}), 9, back));
  EXPECT_EQ(encode_postings({7, 8, 9, 10, 11, 40}), documented("postings"));
}

/// Runs against sets of numbers.
TEST(Format, RunsOfPostingsAreSets) {
  std::mt19937 random(7);
  const auto numbers = [&] {
    Postings some;
    for (std::uint32_t n = 0; n < 40; ++n) {
      if (random() % 3 != 0) some.push_back(n);
    }
    return some;
  };
  for (int i = 0; i < 2000; ++i) {
    const Postings a = numbers();
    const Postings b = numbers();
    Postings united = a;
    Postings common = a;
    Postings rest = a;
    unite(united, b);
    intersect(common, b);
    subtract(rest, b);
    PostingRuns runs = runs_of(a);
    ASSERT_TRUE(merge_postings(runs, encode_postings(b)));
    EXPECT_EQ(runs, runs_of(united));
    runs = runs_of(a);
    ASSERT_TRUE(merge_postings(runs, encode_postings(b, kPostingsRemove)));
    EXPECT_EQ(runs, runs_of(rest));
    EXPECT_EQ(count_common(runs_of(a), runs_of(b)), common.size());
    Postings narrowed = a;
    intersect(narrowed, runs_of(b));
    EXPECT_EQ(narrowed, common);
  }
}

}  // namespace
}  // namespace pipit
