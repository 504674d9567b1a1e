// Tombstones: their bytes, what queries see of deleted samples, and how these leave the disk.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <random>
#include <thread>

#include "storage/open_store.h"
#include "storage/tombstones.h"
#include "tests/storage/database_proxy.h"
#include "tests/storage/second_self.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kDay = 24LL * 3600 * 1000;

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

// ---- bytes and intervals --------------------------------------------------------------------------------

TEST(Tombstones, TheDocumentedExample) {
  const DeletedIntervals intervals{{1'700'000'000'000, 1'700'000'060'000}, {1'700'003'600'000, 1'700'003'600'000}};
  const std::string bytes = encode_intervals(intervals);
  EXPECT_EQ(hex(bytes), "80a0abfef962e0d403c090b00300");
  DeletedIntervals read;
  EXPECT_TRUE(decode_intervals(bytes, read));
  EXPECT_EQ(read, intervals);
}

TEST(Tombstones, IntervalsThatTouchAreOne) {
  struct Case {
    DeletedIntervals before;
    DeletedInterval added;
    DeletedIntervals after;
  };
  const Case cases[] = {
      {{}, {5, 5}, {{5, 5}}},
      {{{10, 20}}, {1, 8}, {{1, 8}, {10, 20}}},
      {{{10, 20}}, {1, 9}, {{1, 20}}},
      {{{10, 20}}, {12, 15}, {{10, 20}}},
      {{{10, 20}}, {21, 30}, {{10, 30}}},
      {{{10, 20}}, {22, 30}, {{10, 20}, {22, 30}}},
      {{{10, 20}, {30, 40}}, {15, 35}, {{10, 40}}},
      {{{10, 20}, {30, 40}, {50, 60}}, {5, 45}, {{5, 45}, {50, 60}}},
      {{{10, 20}}, {kMinTimestamp, kMaxTimestamp}, {{kMinTimestamp, kMaxTimestamp}}},
      {{{kMinTimestamp, 3}}, {kMaxTimestamp, kMaxTimestamp}, {{kMinTimestamp, 3}, {kMaxTimestamp, kMaxTimestamp}}},
  };
  for (const Case& c : cases) {
    DeletedIntervals intervals = c.before;
    add_interval(intervals, c.added);
    EXPECT_EQ(intervals, c.after) << c.added.from << " to " << c.added.to;
    DeletedIntervals read;
    EXPECT_TRUE(decode_intervals(encode_intervals(intervals), read));
    EXPECT_EQ(read, intervals);
  }
}

TEST(Tombstones, DamagedBytesAreRefused) {
  DeletedIntervals intervals;
  for (const std::string_view bytes : {std::string_view("\x80"), std::string_view("\x02"), std::string_view("\x02\x80"),
                                       std::string_view("\x02\x02\x00\x02", 4)}) {
    EXPECT_FALSE(decode_intervals(bytes, intervals)) << hex(bytes);
  }
}

// ---- what queries see -----------------------------------------------------------------------------------

class DeletionTest : public StoreTest {
 protected:
  void merge() { ASSERT_TRUE(store_->merge_closed_days(100 * kDay).ok()); }
};

const Labels kA{{"__name__", "m"}, {"pod", "a"}};
const Labels kB{{"__name__", "m"}, {"pod", "b"}};
constexpr const char* kAText = R"(m{pod="a"})";
constexpr const char* kBText = R"(m{pod="b"})";

std::vector<std::vector<Matcher>> pod(std::string name) { return {{Matcher::equal("pod", std::move(name))}}; }
SampleList samples(std::initializer_list<int> seconds) {
  SampleList list;
  for (const int s : seconds) list.emplace_back(s * 1000LL, bits(s));
  return list;
}

/// Deleted samples are hidden wherever they are: in RAM, on disk, of an earlier run, merged.
TEST_F(DeletionTest, HidesAtOnceAndForGood) {
  for (const std::string where : {"RAM", "disk", "both", "earlier run", "merged"}) {
    SCOPED_TRACE(where);
    store_.reset();
    std::filesystem::remove_all(options().path);
    open();
    for (int s = 1; s <= 5; ++s) {
      add(kA, s * 1000, s);
      add(kB, s * 1000, s);
      if (where == "both" && s == 3) checkpoint();
    }
    if (where == "disk" || where == "merged") checkpoint();
    if (where == "earlier run") reopen();
    if (where == "merged") merge();
    ASSERT_TRUE(store_->delete_series(pod("a"), 2000, 3000).ok());
    const auto check = [&](const SampleList& left) {
      EXPECT_EQ(select_all(*store_, metric("m")), (SeriesList{{kAText, left}, {kBText, samples({1, 2, 3, 4, 5})}}));
      EXPECT_EQ(select_all(*store_, pod("a")[0], 2000, 3000).size(), 0u);
      EXPECT_EQ(store_->series(pod("a"), 1000, 2000, 0).value().size(), 1u);
    };
    check(samples({1, 4, 5}));
    EXPECT_TRUE(store_->series(pod("a"), 2000, 3000, 0).value().empty());
    ASSERT_TRUE(store_->delete_series(pod("a"), 4000, 4500).ok());
    check(samples({1, 5}));
    reopen();
    check(samples({1, 5}));
    checkpoint();
    check(samples({1, 5}));
    merge();
    check(samples({1, 5}));
    ASSERT_TRUE(store_->clean_tombstones().ok());
    check(samples({1, 5}));
    reopen();
    check(samples({1, 5}));
  }
}

TEST_F(DeletionTest, WhatComesLaterIsSeen) {
  open();
  add(kA, 1000, 1);
  add(kA, 2000, 2);
  ASSERT_TRUE(store_->delete_series(pod("a"), kMinTimestamp, kMaxTimestamp).ok());
  EXPECT_TRUE(select_all(*store_, metric("m")).empty());
  EXPECT_TRUE(store_->series(pod("a"), kMinTimestamp, kMaxTimestamp, 0).value().empty());
  EXPECT_TRUE(store_->label_values("pod", pod("a"), kMinTimestamp, kMaxTimestamp, 0).value().empty());
  EXPECT_EQ(add(kA, 2000, 2).out_of_order + add(kA, 1500, 2).out_of_order, 1u) << "what is deleted does not come back";
  add(kA, 3000, 3);
  EXPECT_EQ(select_all(*store_, metric("m")), (SeriesList{{kAText, samples({3})}}));
  reopen();
  add(kA, 4000, 4);
  ASSERT_TRUE(store_->clean_tombstones().ok());
  EXPECT_EQ(select_all(*store_, metric("m")), (SeriesList{{kAText, samples({3, 4})}}));
}

TEST_F(DeletionTest, OnlyWhatIsSelectedGoes) {
  open();
  for (int i = 0; i < 2000; ++i) {
    add({{"__name__", i % 2 == 0 ? "even" : "odd"}, {"n", std::to_string(i)}}, 1000, i);
  }
  EXPECT_TRUE(store_->delete_series({}, kMinTimestamp, kMaxTimestamp).ok());
  EXPECT_EQ(select_all(*store_, {}).size(), 2000u) << "no sets, no deletion";
  const std::vector<std::vector<Matcher>> sets{
      {match(MatchType::regex, "n", "[0-4].*")}, {Matcher::equal("__name__", "odd")}, {Matcher::equal("n", "none")}};
  ASSERT_TRUE(store_->delete_series(sets, kMinTimestamp, kMaxTimestamp).ok());
  const auto check = [&] {
    const SeriesList left = select_all(*store_, {});
    EXPECT_EQ(left.size(), 277u);
    for (const auto& [name, found] : left) EXPECT_TRUE(name.starts_with("even{n=\"") && name[8] > '4') << name;
  };
  check();
  ASSERT_TRUE(store_->clean_tombstones().ok());
  check();
  EXPECT_EQ(store_->label_values("__name__", {}, kMinTimestamp, kMaxTimestamp, 0).value(),
            std::vector<std::string>{"even"});
  reopen();
  check();
}

// ---- the disk -------------------------------------------------------------------------------------------

double gauge(const MetricsRegistry& metrics, std::string_view name) {
  const std::string page = metrics.render();
  const std::size_t at = page.find("\n" + std::string(name) + " ");
  return at == std::string::npos ? -1 : std::strtod(page.c_str() + at + name.size() + 2, nullptr);
}

TEST_F(DeletionTest, CleaningFreesTheDisk) {
  for (const bool merged : {false, true}) {
    SCOPED_TRACE(merged ? "merged" : "not merged");
    store_.reset();
    std::filesystem::remove_all(options().path);
    open();
    std::mt19937_64 random(1);
    SampleList kept;
    const SeriesRef refs[] = {store_->series(kA).value(), store_->series(kB).value()};
    for (int i = 0; i < 40000; ++i) {
      const TimestampMs time = i * 10'000LL;
      const double values[] = {std::bit_cast<double>(random() >> 2), static_cast<double>(i)};
      ASSERT_TRUE(store_->append({refs, values, {&time, 1}}).ok());
      kept.emplace_back(time, bits(values[1]));
    }
    checkpoint();
    if (merged) merge();
    const double before = gauge(metrics_, "pipit_storage_file_bytes");
    EXPECT_GT(before, 250'000);
    ASSERT_TRUE(store_->delete_series(pod("a"), kMinTimestamp, kMaxTimestamp).ok());
    EXPECT_EQ(gauge(metrics_, "pipit_storage_tombstone_series"), 1);
    ASSERT_TRUE(store_->clean_tombstones().ok());
    EXPECT_EQ(gauge(metrics_, "pipit_storage_tombstone_series"), 0);
    EXPECT_LT(gauge(metrics_, "pipit_storage_file_bytes"), before - 250'000);
    EXPECT_EQ(select_all(*store_, {}), (SeriesList{{kBText, kept}}));
    EXPECT_EQ(store_->label_values("pod", {}, kMinTimestamp, kMaxTimestamp, 0).value(), std::vector<std::string>{"b"});
    // The deleted series is a new one when it comes again, whatever handles say.
    auto report = store_->append({{refs, 1}, {{1.0}}, {{500'000'000}}});
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->unknown.size(), 1u);
    add(kA, 1000, 7);
    EXPECT_EQ(select_all(*store_, pod("a")[0]), (SeriesList{{kAText, {{1000, bits(7)}}}}));
    EXPECT_TRUE(store_->clean_tombstones().ok());
  }
}

/// A tombstone goes with the last day that it is about.
TEST_F(DeletionTest, TombstonesExpire) {
  open();
  for (int day = 0; day < 10; ++day) add(kA, day * kDay, day);
  ASSERT_TRUE(store_->delete_series(pod("a"), kDay, 2 * kDay).ok());
  retention_ = 4 * kDay;
  reopen();
  EXPECT_EQ(gauge(metrics_, "pipit_storage_tombstone_series"), 1);
  ASSERT_TRUE(store_->apply_retention(10 * kDay).ok());
  EXPECT_EQ(gauge(metrics_, "pipit_storage_tombstone_series"), 0);
}

// ---- kill -9 --------------------------------------------------------------------------------------------

/// Deletes, cleans, merges and goes on writing until it is killed. Tells each deletion that was acknowledged.
void delete_until_killed(const std::filesystem::path& folder, int first, int progress) {
  StoreOptions options;
  options.path = folder;
  options.retention = 0;
  MetricsRegistry metrics;
  auto store = Store::open(options, metrics);
  if (!store.ok()) _exit(3);
  std::thread cleaner([&] {
    for (;;) {
      if (!(*store)->clean_tombstones().ok()) _exit(4);
      if (!(*store)->merge_closed_days(1000 * kDay).ok()) _exit(5);
    }
  });
  for (int n = first;; ++n) {
    const TimestampMs time = n * 60'000LL;
    for (const Labels& labels : {kA, kB}) {
      auto ref = (*store)->series(labels);
      const double value = n;
      if (!ref.ok() || !(*store)->append({{&*ref, 1}, {&value, 1}, {&time, 1}}).ok()) _exit(6);
    }
    if (n % 7 != 0) continue;
    if (!(*store)->delete_series(pod("a"), time - 60'000, time).ok()) _exit(7);
    if (write(progress, &n, sizeof n) != sizeof n) _exit(8);
  }
}

/// Not a test of its own.
TEST(DeletingWriter, DISABLED_DeletesUntilKilled) {
  const char* folder = getenv("PIPIT_DELETING_FOLDER");
  ASSERT_NE(folder, nullptr) << "this part is started by DeletionTest.SurvivesKills";
  delete_until_killed(folder, atoi(getenv("PIPIT_DELETING_FROM")), atoi(getenv("PIPIT_DELETING_PIPE")));
}

TEST_F(DeletionTest, SurvivesKills) {
  std::mt19937 random(7);
  int deleted_up_to = 0;
  int first = 1;
  for (int round = 0; round < 8; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = start_second_self("DeletingWriter.*", {"PIPIT_DELETING_FOLDER=" + options().path.string(),
                                                               "PIPIT_DELETING_FROM=" + std::to_string(first),
                                                               "PIPIT_DELETING_PIPE=" + std::to_string(pipe_ends[1])});
    ASSERT_GE(child, 0);
    close(pipe_ends[1]);
    std::this_thread::sleep_for(std::chrono::milliseconds(50 + random() % 250));
    kill(child, SIGKILL);
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
    for (int n; read(pipe_ends[0], &n, sizeof n) == sizeof n;) deleted_up_to = n;
    close(pipe_ends[0]);
    open();
    const SeriesList found = select_all(*store_, metric("m"));
    const int newest = static_cast<int>(std::max<TimestampMs>(store_->stats().max_time, 0) / 60'000);
    ASSERT_GE(newest, deleted_up_to);
    SampleList a;
    SampleList b;
    for (int n = 1; n <= newest; ++n) {
      b.emplace_back(n * 60'000LL, bits(n));
      const bool deleted = n % 7 == 0 || n % 7 == 6;
      if (n > deleted_up_to || !deleted) a.push_back(b.back());
    }
    // What was under way: the newest samples of `b`, and one deletion.
    SampleList found_a = newest == 0 ? SampleList() : found.at(kAText);
    SampleList found_b = newest == 0 ? SampleList() : found.contains(kBText) ? found.at(kBText) : SampleList();
    if (found_b.size() + 1 == b.size()) b.pop_back();
    EXPECT_EQ(found_b, b);
    const auto not_sure = [&](const auto& sample) { return sample.first > deleted_up_to * 60'000LL; };
    std::erase_if(found_a, not_sure);
    std::erase_if(a, not_sure);
    EXPECT_EQ(found_a, a) << "round " << round;
    first = std::max(newest, 1);  // once more, as `b` may lack it
    // The next run must not build on a deletion that nobody was told of.
    deleted_up_to = std::max(deleted_up_to, (newest / 7) * 7);
    const TimestampMs last = newest / 7 * 420'000LL;
    ASSERT_TRUE(store_->delete_series(pod("a"), last == 0 ? 1 : last - 60'000, last).ok());
    store_.reset();
  }
  EXPECT_GT(deleted_up_to, 0);
}

/// Calls a function whenever somebody begins to look through chunks.
class WatchedDatabase final : public DatabaseProxy {
 public:
  WatchedDatabase(std::unique_ptr<Database> inner, const std::filesystem::path& path, std::function<void()>& look)
      : DatabaseProxy(std::move(inner), path), look_(look) {}
  std::unique_ptr<rocksdb::Iterator> iterate(Family* family, bool fill_cache) const override {
    if (look_ && (family == chunks() || family == merged())) look_();
    return DatabaseProxy::iterate(family, fill_cache);
  }

 private:
  std::function<void()>& look_;
};

/// Whether series have chunks left takes two seeks for each and each day.
TEST_F(StoreTest, CleaningLooksThroughChunksWhileWritersGoOn) {
  std::function<void()> look;
  store_ = open_store(open_behind<WatchedDatabase>(look), options(), metrics_).value();
  for (int i = 0; i < 10; ++i) add({{"__name__", "gone"}, {"n", std::to_string(i)}}, 1000, 1);
  const std::vector<std::vector<Matcher>> sets{metric("gone")};
  ASSERT_TRUE(store_->delete_series(sets, kMinTimestamp, kMaxTimestamp).ok());
  const SeriesRef ref = store_->series({{"__name__", "lives"}}).value();
  TimestampMs time = 1000;
  int waited_for = 0;
  int looked = 0;
  std::vector<std::future<void>> writers;
  look = [&] {
    ++looked;
    time += 1000;
    writers.push_back(std::async(std::launch::async, [&, at = time] {
      const double value = 1;
      EXPECT_EQ(store_->append({{&ref, 1}, {&value, 1}, {&at, 1}}).value().stored, 1u);
    }));
    if (writers.back().wait_for(std::chrono::seconds(5)) != std::future_status::ready) ++waited_for;
  };
  const Status status = store_->clean_tombstones();
  writers.clear();
  look = nullptr;
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_GT(looked, 2);
  EXPECT_EQ(waited_for, 0);
  EXPECT_EQ(select_all(*store_, {}).size(), 1u);
}

/// One seek of an iterator over chunks fails, as in a damaged block; the next one can be read, and has forgotten it.
class OneSeekFails final : public DatabaseProxy {
 public:
  /// `seeks_left` until then; below 0 none fails.
  OneSeekFails(std::unique_ptr<Database> inner, const std::filesystem::path& path, int& seeks_left)
      : DatabaseProxy(std::move(inner), path), seeks_left_(seeks_left) {}
  std::unique_ptr<rocksdb::Iterator> iterate(Family* family, bool fill_cache) const override {
    auto it = DatabaseProxy::iterate(family, fill_cache);
    if (family != chunks() || fill_cache) return it;
    return std::make_unique<Failing>(std::move(it), seeks_left_);
  }

 private:
  class Failing final : public rocksdb::Iterator {
   public:
    Failing(std::unique_ptr<rocksdb::Iterator> inner, int& seeks_left)
        : inner_(std::move(inner)), seeks_left_(seeks_left) {}
    void Seek(const rocksdb::Slice& key) override {
      failed_ = seeks_left_-- == 0;
      inner_->Seek(key);
    }
    void SeekForPrev(const rocksdb::Slice& key) override { inner_->SeekForPrev(key); }
    void SeekToFirst() override { inner_->SeekToFirst(); }
    void SeekToLast() override { inner_->SeekToLast(); }
    void Next() override { inner_->Next(); }
    void Prev() override { inner_->Prev(); }
    bool Valid() const override { return !failed_ && inner_->Valid(); }
    rocksdb::Slice key() const override { return inner_->key(); }
    rocksdb::Slice value() const override { return inner_->value(); }
    rocksdb::Status status() const override {
      return failed_ ? rocksdb::Status::Corruption("a block") : inner_->status();
    }

   private:
    std::unique_ptr<rocksdb::Iterator> inner_;
    int& seeks_left_;
    bool failed_ = false;
  };
  int& seeks_left_;
};

TEST_F(StoreTest, CleaningForgetsNoSeriesWhoseChunksCanNotBeRead) {
  int seeks_left = -1;
  store_ = open_store(open_behind<OneSeekFails>(seeks_left), options(), metrics_).value();
  for (const char* n : {"1", "2", "3"}) {
    add({{"__name__", "m"}, {"n", n}}, 1000, 1);
    add({{"__name__", "m"}, {"n", n}}, 2000, 2);
  }
  add({{"__name__", "other"}}, 1000 + kDay, 1);
  const std::vector<std::vector<Matcher>> sets{metric("m")};
  ASSERT_TRUE(store_->delete_series(sets, 1000, 1500).ok());
  checkpoint();
  const SeriesList expected = select_all(*store_, {});
  int failures = 0;
  for (bool failed = true; failed; ++failures) {
    ASSERT_LT(failures, 100);
    seeks_left = failures;
    failed = !store_->clean_tombstones().ok();
    ASSERT_EQ(select_all(*store_, {}), expected) << "seek " << failures;
    ASSERT_EQ(failed, seeks_left < 0) << "seek " << failures;
  }
  EXPECT_GE(failures, 6) << "as many have been tried";
}

/// Of two samples with one time the one that was stored in order is shown, whatever the order of their chunks.
TEST_F(StoreTest, CleaningShowsTheSameOfTwoSamplesWithOneTime) {
  open();
  store_->set_out_of_order_window(kDay);
  const Labels labels{{"__name__", "m"}};
  for (const TimestampMs time : {1000, 2000}) add(labels, time, 1);
  checkpoint();
  for (const TimestampMs time : {3000, 4000, 5000}) add(labels, time, 1);
  for (const TimestampMs time : {1500, 4000}) EXPECT_EQ(add(labels, time, 7).stored, 1u);
  const std::vector<std::vector<Matcher>> sets{metric("m")};
  ASSERT_TRUE(store_->delete_series(sets, 1000, 1000).ok());
  const SeriesList expected = select_all(*store_, {});
  EXPECT_EQ(expected.at("m")[3], (std::pair<TimestampMs, std::uint64_t>(4000, bits(1))));
  ASSERT_TRUE(store_->clean_tombstones().ok());
  EXPECT_EQ(select_all(*store_, {}), expected);
}

}  // namespace
}  // namespace pipit
