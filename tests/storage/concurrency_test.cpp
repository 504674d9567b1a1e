// Everything at once: appends of scrapes and of remote write, new series, queries, checkpoints and what happens to old
// data. Over RocksDB, and over a stand-in that ThreadSanitizer sees through.

#include <atomic>
#include <functional>
#include <thread>

#include "model/duration.h"
#include "storage/open_store.h"
#include "tests/storage/memory_database.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kDay = 24LL * 3600 * 1000;
constexpr DurationMs kStep = 600'000;
constexpr int kSeriesPerTarget = 12;
constexpr int kTimesAtOnce = 5;

enum class Over : std::uint8_t { rocksdb, memory };

class ConcurrencyTest : public StoreTest, public testing::WithParamInterface<Over> {
 protected:
  void SetUp() override {
    retention_ = 2 * kDay;
    open_over();
  }
  void TearDown() override { store_.reset(); }

  void open_over() {
    store_.reset();
    if (GetParam() == Over::rocksdb) return open();
    auto opened =
        open_store({[this](const Database::Options&) { return open_memory_database(disk_); }}, options(), metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }

  /// Runs `action` again and again until `run` ends.
  void start(std::function<void()> action) {
    threads_.emplace_back([this, action = std::move(action)] {
      while (!stop_) action();
    });
  }
  void run(std::chrono::milliseconds duration) {
    std::this_thread::sleep_for(duration);
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    stop_ = false;
  }

  /// A target's samples are numbered by the steps since `start_`, and have that number as their value. The
  /// targets keep step with each other, some days a second.
  void scrape(int target) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (steps_[target] > steps_[1 - target]) return;
    std::vector<SeriesRef> refs;
    for (int i = 0; i < kSeriesPerTarget; ++i) refs.push_back(store_->series(labels_of(target, i)).value());
    const int step = steps_[target];
    const TimestampMs time = time_of(step);
    const std::vector<double> values(refs.size(), step);
    EXPECT_EQ(store_->append({refs, values, {&time, 1}}).value().stored, refs.size());
    EXPECT_TRUE(store_->set_metadata("scraped", {MetricType::gauge, "step " + std::to_string(step / 100), ""}).ok());
    ++steps_[target];
  }
  /// Series that live for a few batches, several times of each at once, as remote write has them.
  void write_remotely() {
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    if (remote_step_ + kTimesAtOnce > steps_[0]) return;
    const Labels labels{{"__name__", "remote"}, {"pod", std::to_string(remote_step_ / 20)}};
    const std::vector<SeriesRef> refs(kTimesAtOnce, store_->series(labels).value());
    std::vector<TimestampMs> times;
    std::vector<double> values;
    for (int i = 0; i < kTimesAtOnce; ++i, ++remote_step_) {
      times.push_back(time_of(remote_step_));
      values.push_back(remote_step_);
    }
    auto report = store_->append({refs, values, times});
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->stored + report->unknown.size(), refs.size());
  }
  /// Whatever is found has its right value, and there is no hole but where days were dropped meanwhile.
  void query(const std::vector<Matcher>& matchers, TimestampMs min_time, TimestampMs max_time) {
    const SeriesList found = select_all(*store_, matchers, min_time, max_time);
    const TimestampMs whole_from = (newest() - retention_) / kDay * kDay;
    for (const auto& [name, samples] : found) {
      TimestampMs last = kMinTimestamp;
      for (const auto& [time, value] : samples) {
        ASSERT_EQ(value, bits(static_cast<double>((time - start_) / kStep))) << name;
        ASSERT_TRUE(last < whole_from || time - last == kStep) << name << " from " << last << " to " << time;
        last = time;
      }
    }
  }
  void query_labels() {
    const std::vector<std::vector<Matcher>> sets{metric("scraped"), metric("remote")};
    EXPECT_TRUE(store_->label_names(sets, start_, kMaxTimestamp, 0).ok());
    EXPECT_TRUE(store_->label_values("pod", {}, start_, kMaxTimestamp, 0).ok());
    EXPECT_TRUE(store_->series(sets, newest() - kDay, kMaxTimestamp, 0).ok());
    EXPECT_TRUE(store_->metadata("", 0).ok());
  }

  TimestampMs newest() const { return std::max(store_->stats().max_time, start_); }
  TimestampMs time_of(int step) const { return start_ + step * kStep; }
  static Labels labels_of(int target, int series) {
    return {{"__name__", "scraped"}, {"instance", std::to_string(target)}, {"n", std::to_string(series)}};
  }

  const TimestampMs start_ = now_ms() / kDay * kDay;
  std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> steps_[2] = {};
  int remote_step_ = 0;
};

/// The same with deletions and snapshots. A target is left alone, and its samples stay whole.
TEST_P(ConcurrencyTest, DeletionBesideEverything) {
  for (int target = 0; target < 2; ++target) {
    start([this, target] { scrape(target); });
  }
  start([this] { write_remotely(); });
  start([this] { query({Matcher::equal("instance", "0")}, kMinTimestamp, kMaxTimestamp); });
  start([this] { select_all(*store_, {Matcher::equal("instance", "1")}); });
  start([this] { query_labels(); });
  start([this] { checkpoint(); });
  start([this] { EXPECT_TRUE(store_->apply_retention(newest()).ok()); });
  start([this] { EXPECT_TRUE(store_->merge_closed_days(newest()).ok()); });
  start([this] {
    const std::vector<std::vector<Matcher>> sets{{Matcher::equal("instance", "1")}, metric("remote")};
    const TimestampMs until = newest() - 20 * kStep;
    EXPECT_TRUE(store_->delete_series(sets, kMinTimestamp, until).ok());
    for (const auto& [name, samples] : select_all(*store_, sets[0])) EXPECT_GT(samples.front().first, until) << name;
  });
  start([this] { EXPECT_TRUE(store_->clean_tombstones().ok()); });
  start([this] {
    const auto name = store_->snapshot(steps_[0] % 2 == 0);
    ASSERT_TRUE(name.ok()) << name.error().message;
    std::filesystem::remove_all(options().path.parent_path() / "snapshots" / *name);
  });
  run(std::chrono::milliseconds(1500));
  query({Matcher::equal("instance", "0")}, kMinTimestamp, kMaxTimestamp);
  EXPECT_EQ(select_all(*store_, {Matcher::equal("instance", "0")}).size(), std::size_t{kSeriesPerTarget});
  const std::vector<std::vector<Matcher>> other{{Matcher::equal("instance", "1")}};
  ASSERT_TRUE(store_->delete_series(other, kMinTimestamp, kMaxTimestamp).ok());
  ASSERT_TRUE(store_->clean_tombstones().ok());
  open_over();
  query({Matcher::equal("instance", "0")}, kMinTimestamp, kMaxTimestamp);
  EXPECT_TRUE(select_all(*store_, {Matcher::equal("instance", "1")}).empty());
}

TEST_P(ConcurrencyTest, EverythingAtOnce) {
  for (int target = 0; target < 2; ++target) {
    start([this, target] { scrape(target); });
  }
  start([this] { write_remotely(); });
  start([this] { query(metric("scraped"), newest() - kDay, kMaxTimestamp); });
  start([this] { query({match(MatchType::regex, "n", "1.*")}, kMinTimestamp, newest()); });
  start([this] { query(metric("remote"), kMinTimestamp, kMaxTimestamp); });
  start([this] { query_labels(); });
  start([this] { checkpoint(); });
  start([this] { EXPECT_TRUE(store_->merge_closed_days(newest()).ok()); });
  start([this] { EXPECT_TRUE(store_->apply_retention(newest()).ok()); });
  run(std::chrono::milliseconds(1500));

  for (const bool reopened : {false, true}) {
    if (reopened) open_over();
    const SeriesList found = select_all(*store_, metric("scraped"));
    ASSERT_EQ(found.size(), 2u * kSeriesPerTarget);
    for (const auto& [name, samples] : found) {
      const int target = name.find(R"(instance="0")") != std::string::npos ? 0 : 1;
      EXPECT_EQ(samples.back().first, time_of(steps_[target] - 1)) << name;
    }
    query({}, kMinTimestamp, kMaxTimestamp);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, ConcurrencyTest, testing::Values(Over::rocksdb, Over::memory),
                         [](const testing::TestParamInfo<Over>& over) {
                           return std::string(over.param == Over::rocksdb ? "RocksDB" : "Memory");
                         });

}  // namespace
}  // namespace pipit
