// Days whose chunks are merged into long ones: every sample stays what it was, at any moment and after any crash.

#include <algorithm>
#include <cmath>
#include <random>

#include "storage/chunk.h"
#include "storage/database.h"
#include "storage/keys.h"
#include "storage/open_store.h"
#include "tests/storage/database_proxy.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kHour = 3'600'000;
constexpr TimestampMs kDay = 19'700 * kPartitionMs;
constexpr TimestampMs kLongAfter = kDay + 100 * kPartitionMs;
constexpr DurationMs kStep = 120'000;

Labels labels_of(int series) { return {{"__name__", "m" + std::to_string(series % 3)}, {"n", std::to_string(series)}}; }

class MergeTest : public StoreTest {
 protected:
  void SetUp() override { open(); }

  /// A sample of each series every step of [from, to), with a checkpoint every eight hours.
  void write(TimestampMs from, TimestampMs to, int first = 0, int end = 12) {
    std::vector<SeriesRef> refs;
    for (int i = first; i < end; ++i) refs.push_back(store_->series(labels_of(i)).value());
    for (TimestampMs t = from; t < to; t += kStep) {
      ValueColumn values;
      for (int i = first; i < end; ++i) values.push_back(value_of(i, t));
      const auto report = store_->append({refs, values, {&t, 1}});
      ASSERT_TRUE(report.ok()) << report.error().message;
      ASSERT_EQ(report->stored, refs.size());
      if ((t / kStep) % 240 == 239) checkpoint();
    }
    checkpoint();
  }
  /// Of all kinds that chunks have encodings for.
  double value_of(int series, TimestampMs t) {
    switch (series % 6) {
      case 0:
        return 7;
      case 1:
        return static_cast<double>(t / kStep % 977 * 31 % 500) / 1000;
      case 2:
        return std::bit_cast<double>(random_());
      case 3:
        return t / kStep % 50 == 3 ? stale_nan() : static_cast<double>(t / 100'000);
      case 4:
        return static_cast<double>(random_() % 1'000'000) / 1e6;
      default:
        return std::sin(static_cast<double>(t));
    }
  }
  void merge(TimestampMs now = kLongAfter) {
    const Status status = store_->merge_closed_days(now);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  using Entries = std::map<std::string, std::string>;
  /// What a family has, read while the store is closed.
  Entries entries(Database::Family* (Database::*family)() const) {
    store_.reset();
    Entries found;
    {
      auto database = Database::open({options().path, 1 << 20, {}}).value();
      auto it = database->iterate((*database.*family)());
      for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace(it->key().ToString(), it->value().ToString());
    }
    open();
    return found;
  }
  /// Puts chunks into the family where checkpoints write, as if they had never left it.
  void put_back(const Entries& chunks) {
    store_.reset();
    {
      auto database = Database::open({options().path, 1 << 20, {}}).value();
      rocksdb::WriteBatch batch;
      for (const auto& [key, value] : chunks) batch.Put(database->chunks(), key, value);
      ASSERT_TRUE(database->write(batch, false).ok());
      ASSERT_TRUE(database->flush(database->chunks()).ok());
    }
    open();
  }

  std::mt19937_64 random_{3};
};

TEST_F(MergeTest, ADayBecomesOneChunkASeries) {
  write(kDay - 5 * kHour, kDay + 29 * kHour);
  const SeriesList before = select_all(*store_, {});
  ASSERT_EQ(before.size(), 12u);
  merge(kDay + kPartitionMs);  // the third day is not over
  EXPECT_EQ(select_all(*store_, {}), before);
  EXPECT_EQ(select_all(*store_, metric("m1"), kDay + kHour, kDay + 3 * kHour).begin()->second.size(), 61u);
  const Entries merged = entries(&Database::merged);
  const Entries small = entries(&Database::chunks);
  EXPECT_EQ(merged.size(), 24u) << "a chunk a series and day";
  EXPECT_GE(small.size(), 12u);
  for (const auto& [key, chunk] : small) {
    ChunkKey parsed;
    ASSERT_TRUE(parse_chunk_key(key, parsed));
    EXPECT_EQ(parsed.partition, partition_of(kDay) + 1) << "the day that is not over";
  }
  EXPECT_EQ(select_all(*store_, {}), before) << "after a restart";
}

TEST_F(MergeTest, ACrashBeforeTheSmallChunksLeaveDoublesNothing) {
  write(kDay, kDay + 26 * kHour);
  const SeriesList before = select_all(*store_, {});
  const Entries small = entries(&Database::chunks);
  merge();
  put_back(small);
  EXPECT_EQ(select_all(*store_, {}), before) << "both are there";
  merge();
  EXPECT_EQ(select_all(*store_, {}), before);
  EXPECT_EQ(entries(&Database::chunks).size(), 0u);
  EXPECT_EQ(entries(&Database::merged).size(), 24u);
}

TEST_F(MergeTest, WhatComesLateIsMergedIntoTheRest) {
  write(kDay, kDay + 12 * kHour);
  write(kDay + 25 * kHour, kDay + 26 * kHour);
  merge();
  SeriesList expected = select_all(*store_, {});
  write(kDay + kHour, kDay + 20 * kHour, 12, 15);  // series that are new may be older than the others' newest
  for (const auto& [series, samples] : select_all(*store_, {})) expected.try_emplace(series, samples);
  EXPECT_EQ(expected.size(), 15u);
  EXPECT_EQ(select_all(*store_, {}), expected);
  merge();
  EXPECT_EQ(select_all(*store_, {}), expected);
  EXPECT_EQ(entries(&Database::merged).size(), 12u + 15u);
  EXPECT_EQ(entries(&Database::chunks).size(), 0u);
  EXPECT_EQ(select_all(*store_, {}), expected) << "after a restart";
}

TEST_F(MergeTest, OverlappingChunksGiveEachTimeOnceAndTheFirstStoredValue) {
  write(kDay, kDay + 6 * kHour);
  const SeriesList before = select_all(*store_, {});
  const Entries small = entries(&Database::chunks);
  merge();
  Entries others;
  for (const auto& [key, chunk] : small) {
    ChunkKey parsed;
    ASSERT_TRUE(parse_chunk_key(key, parsed));
    TimeColumn times;
    ValueColumn values;
    ASSERT_TRUE(decode_chunk(chunk, parsed.start, times, values).ok());
    for (double& v : values) v = 1e9;
    others[key] = encode_chunk(times, values);
  }
  put_back(others);
  EXPECT_EQ(select_all(*store_, {}), before);
  merge();
  EXPECT_EQ(select_all(*store_, {}), before);
}

TEST_F(MergeTest, ADayWaitsForWhatIsInRam) {
  write(kDay, kDay + 4 * kHour);
  const SeriesRef ref = store_->series(labels_of(0)).value();
  const TimestampMs time = kDay + 5 * kHour;
  const double value = 1;
  ASSERT_TRUE(store_->append({{&ref, 1}, {&value, 1}, {&time, 1}}).ok());
  merge();
  // Closing writes the head out, so look through a metric.
  EXPECT_EQ(metrics_.counter("pipit_storage_merges_total", "").value(), 0);
  checkpoint();
  merge();
  EXPECT_EQ(metrics_.counter("pipit_storage_merges_total", "").value(), 1);
}

TEST_F(MergeTest, VeryLongDaysAreSeveralChunks) {
  const SeriesRef ref = store_->series(labels_of(1)).value();
  constexpr int kSamples = 86'400;
  for (int at = 0; at < kSamples; at += 400) {
    std::vector<SeriesRef> refs(400, ref);
    TimeColumn times;
    ValueColumn values;
    for (int i = at; i < at + 400; ++i) {
      times.push_back(kDay + i * 1000LL);
      values.push_back(static_cast<double>(random_() % 1000));
    }
    ASSERT_EQ(store_->append({refs, values, times}).value().stored, 400u);
  }
  checkpoint();
  const SeriesList before = select_all(*store_, {});
  ASSERT_EQ(before.begin()->second.size(), kSamples);
  merge();
  EXPECT_EQ(select_all(*store_, {}), before);
  EXPECT_EQ(select_all(*store_, {}, kDay + 80'000'000, kDay + 80'001'000).begin()->second.size(), 2u);
  EXPECT_EQ(entries(&Database::merged).size(), (kSamples + kMaxMergedSamples - 1) / kMaxMergedSamples);
}

TEST_F(MergeTest, SeriesOnlyInMergedChunksKnowTheirLastSample) {
  write(kDay, kDay + 2 * kHour, 0, 1);
  merge();
  store_.reset();
  open();
  EXPECT_EQ(add(labels_of(0), kDay + kHour, 7).out_of_order, 1u);
  EXPECT_EQ(add(labels_of(0), kDay + 2 * kHour - kStep, 7).stored, 1u) << "the same once more";
  EXPECT_EQ(add(labels_of(0), kDay + 2 * kHour - kStep, 8).duplicates, 1u);
  EXPECT_EQ(add(labels_of(0), kDay + 2 * kHour, 7).stored, 1u);
}

TEST_F(MergeTest, WhatIsDeletedIsNotWrittenAgain) {
  write(kDay, kDay + 4 * kHour);
  const std::vector<std::vector<Matcher>> sets{metric("m1")};
  ASSERT_TRUE(store_->delete_series(sets, kDay + kHour, kDay + 2 * kHour).ok());
  const SeriesList before = select_all(*store_, {});
  merge();
  EXPECT_EQ(select_all(*store_, {}), before);
  std::size_t stored = 0;
  std::size_t visible = 0;
  for (const auto& [key, chunk] : entries(&Database::merged)) {
    ChunkKey parsed;
    ASSERT_TRUE(parse_chunk_key(key, parsed));
    stored += read_chunk_header(chunk, parsed.start).value().count;
  }
  for (const auto& [series, samples] : before) visible += samples.size();
  EXPECT_EQ(stored, visible);
}

TEST_F(MergeTest, MergedDaysGoWithRetention) {
  retention_ = 10 * kPartitionMs;
  store_.reset();
  const TimestampMs today = partition_start(partition_of(static_cast<TimestampMs>(time(nullptr)) * 1000));
  retention_ = 0;
  open();
  write(today - 12 * kPartitionMs, today - 12 * kPartitionMs + kHour);
  write(today - kPartitionMs, today - kPartitionMs + kHour);
  merge(today);
  EXPECT_EQ(entries(&Database::merged).size(), 24u);
  store_.reset();
  retention_ = 10 * kPartitionMs;
  open();
  ASSERT_TRUE(store_->apply_retention(today + kHour).ok());
  EXPECT_EQ(entries(&Database::merged).size(), 12u);
  EXPECT_EQ(select_all(*store_, {}).size(), 12u);
}

/// A merge that is killed right after its table has become the database's leaves the table a second name. The next
/// merge must not write through it.
TEST_F(MergeTest, TheSecondNameOfATableIsNotWrittenTo) {
  write(kDay, kDay + 4 * kHour);
  merge();
  const SeriesList before = select_all(*store_, {});
  store_.reset();
  std::vector<std::filesystem::path> tables;
  for (const auto& entry : std::filesystem::directory_iterator(options().path)) {
    if (entry.path().extension() == ".sst") tables.push_back(entry.path());
  }
  ASSERT_FALSE(tables.empty());
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const TimestampMs day = kDay + static_cast<TimestampMs>(i + 1) * kPartitionMs;
    std::filesystem::create_hard_link(tables[i], options().path / "merging.tmp");
    open();
    write(day, day + kHour);
    merge();
    reopen();
    EXPECT_EQ(select_all(*store_, {}, kDay, kDay + kPartitionMs - 1), before) << tables[i];
    store_.reset();
    EXPECT_FALSE(std::filesystem::exists(options().path / "merging.tmp"));
    tables.erase(std::remove_if(tables.begin(), tables.end(), [](const auto& t) { return !exists(t); }), tables.end());
  }
}

/// In RAM, on disk and merged.
TEST_F(MergeTest, OfTwoSamplesWithOneTimeTheOneInOrderStays) {
  store_->set_out_of_order_window(kHour);
  const Labels labels{{"__name__", "m"}};
  add(labels, kDay + 100'000, 0);
  add(labels, kDay + 110'000, 1);
  add(labels, kDay + 120'000, 2);
  add(labels, kDay + 90'000, -1);
  EXPECT_EQ(add(labels, kDay + 110'000, 7).stored, 1u) << "what is stored in order is not looked up";
  const SampleList expected{
      {kDay + 90'000, bits(-1)}, {kDay + 100'000, bits(0)}, {kDay + 110'000, bits(1)}, {kDay + 120'000, bits(2)}};
  EXPECT_EQ(select_all(*store_, {}).at("m"), expected);
  checkpoint();
  EXPECT_EQ(select_all(*store_, {}).at("m"), expected);
  merge();
  EXPECT_EQ(select_all(*store_, {}).at("m"), expected);
}

/// Calls a function before a merge's step has written anything, and after.
class SteppedDatabase final : public DatabaseProxy {
 public:
  SteppedDatabase(std::unique_ptr<Database> inner, const std::filesystem::path& path, std::function<void()>& look)
      : DatabaseProxy(std::move(inner), path), look_(look) {}
  Result<std::unique_ptr<Replacement>> replace(Family* family) override {
    if (look_) look_();
    return DatabaseProxy::replace(family);
  }
  /// What a step has moved leaves the small chunks: after the merged ones are there.
  Status write(rocksdb::WriteBatch& batch, bool durable) override {
    if (look_ && !durable) look_();
    return DatabaseProxy::write(batch, durable);
  }

 private:
  std::function<void()>& look_;
};

/// Readers see each sample once between the steps and within them, and so does a start after a kill.
TEST_F(MergeTest, ADayInManyStepsIsWholeAtAnyMoment) {
  write(kDay, kDay + 20 * kHour);
  const SeriesList expected = select_all(*store_, {});
  for (const std::size_t step_bytes : {1u, 3000u}) {
    SCOPED_TRACE(step_bytes);
    const std::filesystem::path copy = folder_.path() / ("steps-" + std::to_string(step_bytes));
    store_.reset();
    std::filesystem::create_directory(copy);
    std::filesystem::copy(options().path, copy / "pipit", std::filesystem::copy_options::recursive);
    StoreOptions stepped = options();
    stepped.path = copy / "pipit";
    stepped.merge_step_bytes = step_bytes;
    std::function<void()> look;
    auto store = open_store(open_behind<SteppedDatabase>(look), stepped, metrics_).value();
    std::vector<std::filesystem::path> killed;
    look = [&] {
      EXPECT_EQ(select_all(*store, {}), expected) << "look " << killed.size();
      killed.push_back(copy / std::to_string(killed.size()));
      std::filesystem::copy(stepped.path, killed.back());
    };
    ASSERT_TRUE(store->merge_closed_days(kLongAfter).ok());
    look = nullptr;
    EXPECT_EQ(select_all(*store, {}), expected);
    store.reset();
    EXPECT_GE(killed.size(), step_bytes == 1 ? 24u : 4u) << "two looks a step";
    EXPECT_LE(killed.size(), step_bytes == 1 ? 24u : 20u);
    for (const auto& folder : killed) {
      stepped.path = folder;
      store = Store::open(stepped, metrics_).value();
      EXPECT_EQ(select_all(*store, {}), expected) << folder;
      ASSERT_TRUE(store->merge_closed_days(kLongAfter).ok());
      EXPECT_EQ(select_all(*store, {}), expected) << folder;
      store.reset();
      auto database = Database::open({folder, 1 << 20, {}}).value();
      auto small = database->iterate(database->chunks());
      small->SeekToFirst();
      EXPECT_FALSE(small->Valid()) << "all are merged";
      std::size_t merged = 0;
      auto it = database->iterate(database->merged());
      for (it->SeekToFirst(); it->Valid(); it->Next()) ++merged;
      EXPECT_EQ(merged, expected.size());
    }
    open();
  }
}

}  // namespace
}  // namespace pipit
