// Snapshots: whole, consistent while writing goes on, and a data folder like any other.

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;

class SnapshotTest : public StoreTest {
 protected:
  fs::path snapshots() const { return folder_.path() / "snapshots"; }
  /// The store of the snapshot, which stays as it is: a copy is opened.
  std::unique_ptr<Store> open_snapshot(const std::string& name) {
    const fs::path copy = folder_.path() / ("copy of " + name);
    fs::copy(snapshots() / name, copy, fs::copy_options::recursive);
    StoreOptions of_copy = options();
    of_copy.path = copy / options().path.filename();
    auto opened = Store::open(of_copy, snapshot_metrics_);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(*opened);
  }
  std::string snapshot(bool skip_head) {
    auto name = store_->snapshot(skip_head);
    EXPECT_TRUE(name.ok()) << name.error().message;
    return name.ok() ? *name : "";
  }

  MetricsRegistry snapshot_metrics_;
};

const Labels kUp{{"__name__", "up"}, {"job", "node"}};
const Labels kNew{{"__name__", "new"}};

TEST_F(SnapshotTest, HasAllThatWasAcknowledged) {
  open();
  add(kUp, 1000, 1);
  checkpoint();
  add(kUp, 2000, 0.1);
  add(kNew, 2000, stale_nan());
  ASSERT_TRUE(store_->set_metadata("up", {MetricType::gauge, "Whether it is up.", ""}).ok());
  const SeriesList all = select_all(*store_, {});
  const std::string name = snapshot(false);
  EXPECT_THAT(name, testing::MatchesRegex("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}"));
  add(kUp, 3000, 3);
  auto copy = open_snapshot(name);
  EXPECT_EQ(select_all(*copy, {}), all);
  EXPECT_EQ(copy->metadata("up", 0).value().size(), 1u);
  // It is a store like any other: the series go on under their ids, restarts and checkpoints included.
  const SeriesRef ref = copy->series(kNew).value();
  const double value = 7;
  const TimestampMs time = 4000;
  EXPECT_EQ(copy->append({{&ref, 1}, {&value, 1}, {&time, 1}}).value().stored, 1u);
  EXPECT_TRUE(copy->checkpoint().ok());
  EXPECT_EQ(select_all(*copy, metric("new")).begin()->second, (SampleList{{2000, kStaleNaNBits}, {4000, bits(7)}}));
  EXPECT_EQ(select_all(*store_, metric("up")).begin()->second.size(), 3u);
}

TEST_F(SnapshotTest, WithoutTheHead) {
  open();
  add(kUp, 1000, 1);
  checkpoint();
  const SeriesList stored = select_all(*store_, {});
  add(kUp, 2000, 2);
  add(kNew, 2000, 2);
  auto copy = open_snapshot(snapshot(true));
  EXPECT_EQ(select_all(*copy, {}), stored);
  EXPECT_EQ(copy->stats().replayed_records, 0u);
  const SeriesRef ref = copy->series(kNew).value();
  const double value = 7;
  const TimestampMs time = 4000;
  EXPECT_EQ(copy->append({{&ref, 1}, {&value, 1}, {&time, 1}}).value().stored, 1u);
  EXPECT_EQ(select_all(*copy, metric("new")).begin()->second, (SampleList{{4000, bits(7)}}));
  EXPECT_EQ(select_all(*store_, {}).size(), 2u);
}

/// An empty store has nothing on disk but its log.
TEST_F(SnapshotTest, OfAnEmptyStore) {
  open();
  for (const bool skip_head : {false, true}) {
    auto copy = open_snapshot(snapshot(skip_head));
    EXPECT_TRUE(select_all(*copy, {}).empty());
  }
}

/// What is deleted stays deleted in a snapshot, with the head or without.
TEST_F(SnapshotTest, DeletionsAreInIt) {
  open();
  add(kUp, 1000, 1);
  checkpoint();
  ASSERT_TRUE(store_->delete_series({{metric("up")}}, kMinTimestamp, kMaxTimestamp).ok());
  for (const bool skip_head : {false, true}) {
    auto copy = open_snapshot(snapshot(skip_head));
    EXPECT_TRUE(select_all(*copy, {}).empty());
  }
}

/// Each snapshot has, of every series, all batches up to one that was under way, and not one after it.
TEST_F(SnapshotTest, IsConsistentWhileWritingGoesOn) {
  open();
  constexpr int kSeries = 50;
  std::atomic<int> acknowledged = 0;
  constexpr int kBatchesARound = 500;  // as what is read grows with them, a slow machine would never end
  std::atomic<int> round = 0;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int batch = 1; !stop; ++batch) {
      while (batch > kBatchesARound * (round + 1) && !stop) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::vector<SeriesRef> refs;
      for (int i = 0; i < kSeries; ++i) {
        refs.push_back(store_->series({{"__name__", "m"}, {"n", std::to_string(i)}}).value());
      }
      refs.push_back(store_->series({{"__name__", "fresh"}, {"n", std::to_string(batch / 10)}}).value());
      const std::vector<double> values(refs.size(), batch);
      const TimestampMs time = batch * 100'000LL;
      ASSERT_TRUE(store_->append({refs, values, {&time, 1}}).ok());
      acknowledged = batch;
    }
  });
  std::thread checkpoints([&] {
    while (!stop) EXPECT_TRUE(store_->checkpoint().ok());
  });
  for (; round < 4; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    const int before = acknowledged;
    const bool skip_head = round % 3 == 2;
    const std::string name = snapshot(skip_head);
    const int after = acknowledged + 1;
    auto copy = open_snapshot(name);
    const SeriesList found = select_all(*copy, metric("m"));
    ASSERT_TRUE(skip_head || found.size() == kSeries) << found.size();
    for (const auto& [series, samples] : found) {
      const SampleList& first = found.begin()->second;
      EXPECT_EQ(samples.size(), first.size()) << series;
      EXPECT_TRUE(skip_head || samples.size() >= static_cast<std::size_t>(before)) << series << samples.size();
      EXPECT_LE(samples.size(), static_cast<std::size_t>(after)) << series;
      for (std::size_t at = 0; at < samples.size(); ++at) {
        ASSERT_EQ(samples[at].second, bits(static_cast<double>(at + 1))) << series;
      }
    }
    if (found.empty()) continue;
    std::size_t fresh = 0;
    for (const auto& [series, samples] : select_all(*copy, metric("fresh"))) fresh += samples.size();
    EXPECT_EQ(fresh, found.begin()->second.size());
  }
  stop = true;
  writer.join();
  checkpoints.join();
}

TEST_F(SnapshotTest, NothingHalfMadeIsLeft) {
  open();
  add(kUp, 1000, 1);
  // A process that died in the middle of one.
  fs::create_directories(snapshots() / ".unfinished-20260101T000000Z-0123456789abcdef" / "pipit");
  fs::create_directories(snapshots() / "20250101T000000Z-0123456789abcdef" / "pipit");
  reopen();
  EXPECT_FALSE(fs::exists(snapshots() / ".unfinished-20260101T000000Z-0123456789abcdef"));
  EXPECT_TRUE(fs::exists(snapshots() / "20250101T000000Z-0123456789abcdef" / "pipit"));

  fs::remove_all(snapshots());
  std::ofstream(snapshots()) << "in the way";
  auto name = store_->snapshot(false);
  ASSERT_FALSE(name.ok());
  EXPECT_EQ(name.error().kind, ErrorKind::unavailable);
  EXPECT_NE(name.error().message.find(snapshots().string()), std::string::npos) << name.error().message;
  fs::remove(snapshots());
  EXPECT_EQ(add(kUp, 2000, 2).stored, 1u);
  EXPECT_NE(snapshot(false), "");
}

}  // namespace
}  // namespace pipit
