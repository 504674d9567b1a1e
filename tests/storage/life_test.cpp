// What happens to data over time and beside other threads: retention, damage, full disks, concurrency.

#include <sys/mount.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "model/duration.h"
#include "storage/open_store.h"
#include "tests/storage/database_proxy.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kDay = 24LL * 3600 * 1000;

TEST_F(StoreTest, RetentionHidesAtOnceAndDropsWholeDays) {
  retention_ = 3 * kDay;
  open();
  const TimestampMs now = now_ms();
  const Labels old_only{{"__name__", "m"}, {"pod", "old"}};
  const Labels lives{{"__name__", "m"}, {"pod", "lives"}};
  add(old_only, now - retention_ + 60'000, 1);
  add(lives, now - retention_ + 60'000, 1);
  add(lives, now, 2);
  EXPECT_EQ(add(old_only, now - retention_ - 60'000, 0).out_of_bounds, 1u);
  store_->set_out_of_order_window(1000);
  EXPECT_EQ(add(old_only, now - retention_ - 60'000, 0).too_old, 1u);
  store_->set_out_of_order_window(0);
  EXPECT_EQ(store_->label_values("pod", {}, 0, now, 0).value().size(), 2u);
  reopen();
  EXPECT_EQ(select_all(*store_, metric("m")).size(), 2u);

  retention_ = 2 * kDay;
  reopen();
  EXPECT_EQ(select_all(*store_, metric("m")).size(), 1u);
  ASSERT_TRUE(store_->apply_retention(now).ok());
  EXPECT_EQ(select_all(*store_, metric("m")).size(), 1u);
  EXPECT_GT(store_->stats().min_time, now - 3 * kDay);
  // The series without samples is forgotten, and comes back as a new one.
  EXPECT_EQ(store_->series({}, kMinTimestamp, kMaxTimestamp, 0).value().size(), 1u);
  add(old_only, now, 7);
  const std::vector<Matcher> by_pod{Matcher::equal("pod", "old")};
  EXPECT_EQ(select_all(*store_, by_pod).begin()->second, (SampleList{{now, bits(7)}}));
  retention_ = 0;
  reopen();
  EXPECT_EQ(select_all(*store_, by_pod).begin()->second, (SampleList{{now, bits(7)}}));
}

/// Days that retention has not dropped yet lie between the range and what is visible.
TEST_F(StoreTest, ARangeBeyondRetentionIsEmpty) {
  open();
  const TimestampMs now = now_ms();
  for (int day = 20; day >= 0; --day) add({{"__name__", "m"}, {"l", "v"}}, now - day * kDay, day);
  retention_ = 2 * kDay;
  reopen();
  EXPECT_TRUE(select_all(*store_, metric("m"), now - 20 * kDay, now - 15 * kDay).empty());
  const std::vector<std::vector<Matcher>> sets{metric("m")};
  EXPECT_TRUE(store_->series(sets, now - 20 * kDay, now - 15 * kDay, 0).value().empty());
  EXPECT_TRUE(store_->label_names(sets, now - 20 * kDay, now - 15 * kDay, 0).value().empty());
}

/// Writers, readers and checkpoints at once: a reader sees each series' samples without hole or double.
TEST_F(StoreTest, ReadersNeverMissWhatMovesToDisk) {
  open();
  constexpr int kSeries = 30;
  constexpr int kBatches = 1500;
  std::atomic<int> stored = 0;
  std::thread writer([&] {
    std::vector<SeriesRef> refs;
    for (int i = 0; i < kSeries; ++i) {
      refs.push_back(store_->series({{"__name__", i % 2 == 0 ? "even" : "odd"}, {"n", std::to_string(i)}}).value());
    }
    for (int batch = 1; batch <= kBatches; ++batch) {
      const TimestampMs time = batch * 400'000LL;
      const std::vector<double> values(kSeries, batch);
      EXPECT_EQ(store_->append({refs, values, {&time, 1}}).value().stored, static_cast<std::uint32_t>(kSeries));
      stored = batch;
    }
  });
  std::thread checkpoints([&] {
    while (stored < kBatches) EXPECT_TRUE(store_->checkpoint().ok());
  });
  const auto read = [&](const std::vector<Matcher>& matchers) {
    while (stored < kBatches) {
      const int before = stored;
      for (const auto& [name, samples] : select_all(*store_, matchers)) {
        ASSERT_GE(samples.size(), static_cast<std::size_t>(before)) << name;
        for (std::size_t i = 0; i < samples.size(); ++i) {
          ASSERT_EQ(samples[i].first, static_cast<TimestampMs>(i + 1) * 400'000) << name;
          ASSERT_EQ(samples[i].second, bits(static_cast<double>(i + 1))) << name;
        }
      }
    }
  };
  std::thread reader([&] { read(metric("even")); });
  read({match(MatchType::regex, "n", "1.*")});
  reader.join();
  writer.join();
  checkpoints.join();
  EXPECT_EQ(select_all(*store_, {}).size(), static_cast<std::size_t>(kSeries));
}

/// The newest sample of a series moves to disk while a label query looks first in RAM, then on disk.
TEST_F(StoreTest, LabelQueriesNeverMissWhatMovesToDisk) {
  open();
  std::vector<SeriesRef> refs;
  for (int i = 0; i < 20; ++i) refs.push_back(store_->series({{"__name__", "m"}, {"n", std::to_string(i)}}).value());
  const std::vector<double> values(refs.size(), 1);
  const auto append = [&](TimestampMs time) {
    EXPECT_EQ(store_->append({refs, values, {&time, 1}}).value().stored, refs.size());
  };
  append(1000);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (TimestampMs time = 2000; !stop; time += 1000) {
      append(time);
      EXPECT_TRUE(store_->checkpoint().ok());
    }
  });
  const std::vector<std::vector<Matcher>> sets{metric("m")};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (std::chrono::steady_clock::now() < end) {
    const TimestampMs newest = store_->stats().max_time;
    EXPECT_EQ(store_->series(sets, newest, kMaxTimestamp, 0).value().size(), refs.size());
  }
  stop = true;
  writer.join();
}

std::filesystem::path largest_table(const std::filesystem::path& folder) {
  std::filesystem::path found;
  std::uintmax_t size = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".sst" || entry.file_size() <= size) continue;
    size = entry.file_size();
    found = entry.path();
  }
  return found;
}

TEST_F(StoreTest, DamageNamesTheFile) {
  open();
  for (int i = 0; i < 3000; ++i) {
    add({{"__name__", "m"}, {"n", std::to_string(i % 100)}}, 1000LL * (i / 100 + 1), i * 0.7);
  }
  store_.reset();
  const std::filesystem::path table = largest_table(options().path);
  ASSERT_FALSE(table.empty());
  {
    std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
    for (int at = 0; at < 400; at += 3) {
      file.seekp(at);
      file.put('\x5a');
    }
  }
  MetricsRegistry metrics;
  auto opened = Store::open(options(), metrics);
  Error error;
  if (opened.ok()) {
    SymbolTable symbols;
    auto cursor = (*opened)->select({{}, kMinTimestamp, kMaxTimestamp, nullptr}, symbols);
    if (!cursor.ok()) {
      error = cursor.error();
    } else {
      for (;;) {
        auto more = (*cursor)->next();
        if (!more.ok()) error = more.error();
        if (!more.ok() || !*more) break;
      }
    }
  } else {
    error = opened.error();
  }
  EXPECT_EQ(error.kind, ErrorKind::internal);
  EXPECT_NE(error.message.find(table.filename().string()), std::string::npos) << error.message;
}

/// A disk of three megabytes that can be filled.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& path) : path_(path) {
    std::filesystem::create_directory(path_);
    mounted_ = mount("pipit-test", path_.c_str(), "tmpfs", 0, "size=3m") == 0;
    why_ = mounted_ ? "" : std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  const std::string& why_not() const { return why_; }
  const std::filesystem::path& path() const { return path_; }
  void fill() {
    std::ofstream file(path_ / "ballast", std::ios::app);
    for (int i = 0; i < 4096 && file.flush(); ++i) file << std::string(1024, 'x');
  }
  void make_space() { std::filesystem::remove(path_ / "ballast"); }
  void make_space(std::uintmax_t bytes) {
    const auto ballast = path_ / "ballast";
    std::filesystem::resize_file(ballast, std::filesystem::file_size(ballast) - bytes);
  }

 private:
  std::filesystem::path path_;
  bool mounted_ = false;
  std::string why_;
};

/// 500 series on a small disk. Root may mount one; containers without that right, and others, may not.
class FullDiskTest : public StoreTest {
 protected:
  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << "a small tmpfs can't be mounted here: " << disk_.why_not();
    options_.path = disk_.path() / "pipit";
    options_.retention = 0;
    reopen();
  }
  void TearDown() override { store_.reset(); }
  void reopen() {
    store_.reset();
    auto opened = Store::open(options_, metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
    find_series();
  }
  void find_series() {
    refs_.clear();
    for (int i = 0; i < 500; ++i) {
      refs_.push_back(store_->series({{"__name__", "m"}, {"n", std::to_string(i)}}).value());
    }
    values_.resize(refs_.size());
  }
  Result<AppendReport> append() {
    time_ += 1000;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = i % 2 == 0 ? static_cast<double>(i) : static_cast<double>(time_) / 3;
    }
    auto report = store_->append({refs_, values_, {&time_, 1}});
    if (report.ok()) times_.push_back(time_);
    return report;
  }
  /// Every sample that was acknowledged, and no other, since a failed append stores nothing.
  void expect_all() {
    const SeriesList found = select_all(*store_, metric("m"));
    ASSERT_EQ(found.size(), refs_.size());
    for (std::size_t i = 0; i < refs_.size(); ++i) {
      SampleList expected;
      for (const TimestampMs t : times_) {
        expected.emplace_back(t, bits(i % 2 == 0 ? static_cast<double>(i) : static_cast<double>(t) / 3));
      }
      ASSERT_EQ(found.at("m{n=\"" + std::to_string(i) + "\"}"), expected) << i;
    }
  }

  SmallDisk disk_{folder_.path() / "disk"};
  StoreOptions options_;
  std::vector<SeriesRef> refs_;
  std::vector<double> values_;
  TimestampMs time_ = 0;
  std::vector<TimestampMs> times_;  ///< of what was acknowledged
};

/// Copies the folder, as a kill would leave it, at each step from RocksDB's resuming to the end of the checkpoint.
class CopiedDatabase final : public DatabaseProxy {
 public:
  using Copies = std::vector<std::filesystem::path>;
  CopiedDatabase(std::unique_ptr<Database> inner, const std::filesystem::path& path, Copies& copies,
                 std::filesystem::path& to)
      : DatabaseProxy(std::move(inner), path), copies_(copies), to_(to) {}
  Status resume() override {
    Status status = DatabaseProxy::resume();
    resuming_ = status.ok();
    if (resuming_) copy();
    return status;
  }
  Status flush(Family* family) override {
    if (resuming_) copy();
    return DatabaseProxy::flush(family);
  }
  Status drop_image() override {
    copy();
    Status status = DatabaseProxy::drop_image();
    copy();
    resuming_ = false;
    return status;
  }

 private:
  void copy() {
    copies_.push_back(to_ / std::to_string(copies_.size()));
    std::filesystem::copy(path_, copies_.back(), std::filesystem::copy_options::recursive);
  }
  Copies& copies_;
  std::filesystem::path& to_;
  bool resuming_ = false;
};

TEST_F(FullDiskTest, AKillWhileItRecoversLosesNothing) {
  CopiedDatabase::Copies copies;
  std::filesystem::path to = folder_.path() / "copies";
  std::filesystem::create_directory(to);
  store_.reset();
  store_ = open_store(open_behind<CopiedDatabase>(copies, to), options_, metrics_).value();
  find_series();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append().ok());
  disk_.fill();
  while (append().ok()) continue;
  const std::vector<TimestampMs> acknowledged = times_;
  disk_.make_space();
  for (int waited = 0; waited < 150 && !append().ok(); ++waited) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_EQ(times_.size(), acknowledged.size() + 1) << "it did not recover";
  expect_all();
  times_ = acknowledged;
  store_.reset();
  ASSERT_GE(copies.size(), 9u);
  for (const auto& copy : copies) {
    SCOPED_TRACE(copy);
    options_.path = copy;
    for (int start = 0; start < 2; ++start) {
      reopen();
      expect_all();
    }
  }
}

TEST_F(FullDiskTest, RefusesAndRecovers) {
  const auto append_until_full = [&] {
    disk_.fill();
    Result<AppendReport> report = append();
    while (report.ok() && times_.size() < 5000) report = append();
    ASSERT_FALSE(report.ok()) << "the disk did not fill up";
    EXPECT_EQ(report.error().kind, ErrorKind::unavailable);
    EXPECT_NE(report.error().message.find("space"), std::string::npos) << report.error().message;
    EXPECT_FALSE(store_->checkpoint().ok());
    expect_all();
  };
  ASSERT_TRUE(append().ok());
  append_until_full();
  disk_.make_space();
  bool recovered = false;
  for (int waited = 0; waited < 150 && !recovered; ++waited) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    recovered = append().ok();
  }
  ASSERT_TRUE(recovered) << "by itself, when there is space again";
  append_until_full();
  EXPECT_FALSE(store_->close().ok());  // nowhere to put the head, but the log has it
  store_.reset();
  disk_.make_space();
  reopen();
  expect_all();
}

/// Enough room to resume, which drops the log, but not for a checkpoint; and a disk that fills up at once again.
TEST_F(FullDiskTest, LosesNothingWhileItIsNearlyFull) {
  const auto append_for = [&](std::chrono::milliseconds duration) {
    for (const auto end = std::chrono::steady_clock::now() + duration; std::chrono::steady_clock::now() < end;) {
      if (append().ok()) disk_.fill();
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  };
  while (times_.size() < 300) ASSERT_TRUE(append().ok());
  disk_.fill();
  while (append().ok()) continue;
  disk_.make_space(100 << 10);
  append_for(std::chrono::seconds(2));
  EXPECT_FALSE(store_->close().ok());
  store_.reset();
  disk_.make_space();
  reopen();
  expect_all();

  disk_.fill();
  while (append().ok()) continue;
  disk_.make_space();
  append_for(std::chrono::seconds(7));  // resumes, and is full again before or after the checkpoint
  (void)store_->close();
  store_.reset();
  disk_.make_space();
  reopen();
  expect_all();
}

}  // namespace
}  // namespace pipit
