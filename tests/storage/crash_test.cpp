// What survives: a child process writes and is killed, the parent opens what it left.

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <iterator>
#include <random>
#include <thread>

#include "model/duration.h"
#include "tests/storage/second_self.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr int kSeries = 40;
constexpr int kMetrics = 5;
/// The last of them get a new name now and then, as pods do.
constexpr int kPods = 5;
constexpr int kBatchesOfAPod = 250;
constexpr TimestampMs kStart = 1'000'000'000'000;  // long ago: hundreds of rounds must not reach the present
constexpr DurationMs kStep = 600'000;
constexpr DurationMs kRetention = 6 * 24 * 3'600'000LL;

TimestampMs time_of(int batch) { return kStart + batch * kStep; }
Labels labels_of(int series, int batch) {
  const int pod = series < kSeries - kPods ? 0 : batch / kBatchesOfAPod;
  return {{"__name__", "m" + std::to_string(series % kMetrics)},
          {"n", std::to_string(series)},
          {"pod", std::to_string(pod)}};
}
/// Any value is known from where it stands, so that the parent can tell what must be there.
double value_of(int series, int batch) {
  if (series % 3 == 0) return series;
  if (series % 3 == 1) return (batch * 7 + series) % 1000 / 10.0;
  return batch % 11 == 0 ? stale_nan() : batch / 3.0;
}
bool is_missing(int series, int batch) { return (series + batch) % 17 == 0; }
/// Comes one batch late.
bool is_late(int series, int batch) { return (batch + series) % 23 == 0; }

/// Of one metric, from one batch to another.
struct Deletion {
  int metric;
  int first;
  int last;
};
struct Snapshot {
  char name[64];
  int acknowledged;       ///< batches, before it began
  int deleted;            ///< deletions that were acknowledged before
  int deletions_started;  ///< when it was done
};

/// What the parent knows of the writer when it has killed it: each number is raised after what it counts.
struct Progress {
  std::atomic<int> acknowledged = 0;
  std::atomic<int> actions = 0;
  std::atomic<int> deletions_started = 0;
  std::atomic<int> deletions_acknowledged = 0;
  std::array<Deletion, 8192> deletions;
  std::atomic<int> snapshots = 0;
  std::array<Snapshot, 4096> snapshot;
};

/// A deletion that was cut short is made again, so that no more than one is uncertain.
bool delete_some(Store& store, std::mt19937& random, Progress& progress) {
  const int number = progress.deletions_acknowledged;
  const int last = progress.acknowledged - 3;  // nothing comes late any more
  if (static_cast<std::size_t>(number) == progress.deletions.size() || last < 10) return true;
  Deletion& deletion = progress.deletions[static_cast<std::size_t>(number)];
  if (progress.deletions_started == number) {
    const int reach = static_cast<int>(random() % (random() % 4 == 0 ? 2 * kBatchesOfAPod : 20));
    deletion = {static_cast<int>(random() % kMetrics), std::max(0, last - reach), last};
    progress.deletions_started = number + 1;
  }
  const std::vector<std::vector<Matcher>> sets{metric("m" + std::to_string(deletion.metric))};
  if (!store.delete_series(sets, time_of(deletion.first), time_of(deletion.last)).ok()) return false;
  progress.deletions_acknowledged = number + 1;
  return true;
}

bool make_snapshot(Store& store, Progress& progress) {
  const int number = progress.snapshots;
  if (static_cast<std::size_t>(number) == progress.snapshot.size()) return true;
  Snapshot& snapshot = progress.snapshot[static_cast<std::size_t>(number)];
  snapshot.acknowledged = progress.acknowledged;
  snapshot.deleted = progress.deletions_acknowledged;
  const auto name = store.snapshot(false);
  if (!name.ok() || name->size() >= sizeof snapshot.name) return false;
  name->copy(snapshot.name, sizeof snapshot.name - 1);
  snapshot.deletions_started = progress.deletions_started;
  progress.snapshots = number + 1;
  return true;
}

/// All that goes on beside the appends.
bool act(Store& store, std::mt19937& random, Progress& progress) {
  switch (random() % 16) {
    case 0:
    case 1:
    case 2:
      return store.merge_closed_days(now_ms()).ok();
    case 3:
    case 4:
      return delete_some(store, random, progress);
    case 5:
      return store.clean_tombstones().ok();
    case 6:
      return store.apply_retention(now_ms()).ok();
    case 7:
      return make_snapshot(store, progress);
    default:
      return store.checkpoint().ok();
  }
}

enum class Appended { whole, in_part, failed };

Appended append_batch(Store& store, int batch) {
  std::vector<SeriesRef> refs;
  std::vector<double> values;
  std::vector<TimestampMs> times;
  for (int i = 0; i < kSeries; ++i) {
    for (const int sample : {batch, batch - 1}) {
      if (sample < 0 || is_missing(i, sample) || is_late(i, sample) != (sample < batch)) continue;
      auto ref = store.series(labels_of(i, sample));
      if (!ref.ok()) return Appended::failed;
      refs.push_back(*ref);
      values.push_back(value_of(i, sample));
      times.push_back(time_of(sample));
    }
  }
  auto report = store.append({refs, values, times});
  if (!report.ok() || report->stored + report->unknown.size() != refs.size()) return Appended::failed;
  return report->unknown.empty() ? Appended::whole : Appended::in_part;
}

/// Goes on where the one before was killed. Whatever `acknowledged` says must be there.
[[noreturn]] void write_until_killed(const StoreOptions& options, unsigned seed, Progress& progress) {
  MetricsRegistry metrics;
  auto store = Store::open(options, metrics);
  if (!store.ok()) _exit(3);
  const TimestampMs last = (*store)->stats().max_time;
  const int first = last < kStart ? 0 : static_cast<int>((last - kStart) / kStep) + 1;
  if (first < progress.acknowledged) _exit(7);
  std::thread actions([&, seed] {
    std::mt19937 random(seed);
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 10));
      if (!act(**store, random, progress)) _exit(4);
      ++progress.actions;
    }
  });
  for (int batch = first;; ++batch) {
    // Cleaning may drop a series between its handle and the append: then once more.
    Appended appended = append_batch(**store, batch);
    while (appended == Appended::in_part) appended = append_batch(**store, batch);
    if (appended == Appended::failed) _exit(6);
    progress.acknowledged.store(batch + 1);
    // Two weeks at once, then a week a second: no more than can be merged meanwhile, on a busy machine too.
    if (batch - first > 2000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Progress* map_progress(const std::filesystem::path& file) {
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT, 0600);
  if (descriptor < 0 || ftruncate(descriptor, sizeof(Progress)) != 0) return nullptr;
  void* memory = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  return memory == MAP_FAILED ? nullptr : static_cast<Progress*>(memory);
}

StoreOptions crash_options(const std::filesystem::path& path) {
  StoreOptions options;
  options.path = path;
  options.retention = kRetention;
  options.out_of_order_window = 10 * kStep;
  options.merge_step_bytes = 2000;
  return options;
}

/// Not a test of its own.
TEST(CrashWriter, DISABLED_WritesUntilKilled) {
  const char* folder = getenv("PIPIT_CRASH_FOLDER");
  ASSERT_NE(folder, nullptr) << "this part is started by EveryAcknowledgedSampleSurvivesKillOnce";
  StoreOptions options = crash_options(std::filesystem::path(folder) / "pipit");
  Progress* progress = map_progress(std::filesystem::path(folder) / "progress");
  ASSERT_NE(progress, nullptr);
  write_until_killed(options, static_cast<unsigned>(atoi(getenv("PIPIT_CRASH_SEED"))), *progress);
}

/// Starts a writer, lets it work for a random while and kills it.
void write_and_kill(const std::filesystem::path& folder, unsigned seed, Progress& progress) {
  const int before = progress.acknowledged;
  const pid_t child = start_second_self(
      "CrashWriter.*", {"PIPIT_CRASH_FOLDER=" + folder.string(), "PIPIT_CRASH_SEED=" + std::to_string(seed)});
  ASSERT_GE(child, 0);
  std::mt19937 random(seed);
  if (seed % 5 != 0) {  // else perhaps in the middle of the start
    const int actions = progress.actions + static_cast<int>(random() % 6);
    const auto works = [&] { return progress.acknowledged > before && progress.actions >= actions; };
    for (int waited = 0; !works() && waited < 20'000; ++waited) usleep(1000);
    EXPECT_TRUE(works()) << "the writer did not get to write";
  }
  usleep(random() % 60'000);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself, with " << WEXITSTATUS(status);
}

/// What the deletions before `acknowledged` cover is gone, what those up to `started` cover may be.
class Deleted {
 public:
  Deleted(const Progress& progress, int batches, int acknowledged, int started)
      : states_(kMetrics, std::vector<State>(static_cast<std::size_t>(batches), State::stored)) {
    for (int i = 0; i < started; ++i) {
      const Deletion& d = progress.deletions[static_cast<std::size_t>(i)];
      for (int batch = d.first; batch <= d.last && batch < batches; ++batch) {
        State& state = states_[static_cast<std::size_t>(d.metric)][static_cast<std::size_t>(batch)];
        if (state != State::gone) state = i < acknowledged ? State::gone : State::uncertain;
      }
    }
  }
  bool gone(int series, int batch) const { return state(series, batch) == State::gone; }
  bool uncertain(int series, int batch) const { return state(series, batch) == State::uncertain; }

 private:
  enum class State : std::uint8_t { stored, uncertain, gone };
  State state(int series, int batch) const {
    return states_[static_cast<std::size_t>(series % kMetrics)][static_cast<std::size_t>(batch)];
  }
  std::vector<std::vector<State>> states_;
};

/// The batch that was under way is there as a whole or not at all. Everything before it is there, once and bit for bit,
/// but for what is deleted and what is older than the retention.
void expect_all(const Store& store, const Progress& progress, const Snapshot& as_of) {
  const SeriesList found = select_all(store, {});
  const TimestampMs newest = store.stats().max_time;
  const int batches = static_cast<int>((newest - kStart) / kStep) + 1;
  ASSERT_GE(batches, as_of.acknowledged) << "an acknowledged batch is missing";
  const Deleted deleted(progress, batches, as_of.deleted, as_of.deletions_started);
  SeriesList expected;
  SeriesList possible;
  for (int i = 0; i < kSeries; ++i) {
    for (int batch = std::max(0, batches - static_cast<int>(kRetention / kStep) - 2); batch < batches; ++batch) {
      if (is_missing(i, batch) || time_of(batch) < newest - kRetention || deleted.gone(i, batch)) continue;
      if (batch == batches - 1 && is_late(i, batch)) continue;
      const std::string labels = labels_of(i, batch).to_string();
      const auto sample = std::pair(time_of(batch), bits(value_of(i, batch)));
      (deleted.uncertain(i, batch) ? possible : expected)[labels].push_back(sample);
    }
  }
  ASSERT_FALSE(expected.empty());
  for (const auto& [labels, samples] : found) {
    SampleList certain;
    std::ranges::set_difference(samples, possible[labels], std::back_inserter(certain));
    const SampleList& wanted = expected[labels];
    const auto [at, wanted_at] = std::ranges::mismatch(certain, wanted);
    ASSERT_TRUE(certain == wanted) << labels << ": found batch "
                                   << (at == certain.end() ? -1 : (at->first - kStart) / kStep) << " where "
                                   << (wanted_at == wanted.end() ? -1 : (wanted_at->first - kStart) / kStep)
                                   << " should be, of " << batches;
    expected.erase(labels);
  }
  ASSERT_TRUE(expected.empty()) << expected.begin()->first << " is gone, and " << expected.size() - 1 << " others";
}

/// Every one that is finished opens, and has what was acknowledged before it was begun.
void expect_snapshots(const std::filesystem::path& folder, const Progress& progress, int& checked) {
  for (; checked < progress.snapshots; ++checked) {
    const Snapshot& snapshot = progress.snapshot[static_cast<std::size_t>(checked)];
    MetricsRegistry metrics;
    auto store = Store::open(crash_options(folder / "snapshots" / snapshot.name / "pipit"), metrics);
    ASSERT_TRUE(store.ok()) << store.error().message;
    expect_all(**store, progress, snapshot);
    if (testing::Test::HasFatalFailure()) return;
  }
  std::filesystem::remove_all(folder / "snapshots");
}

TEST_F(StoreTest, EveryAcknowledgedSampleSurvivesKillOnce) {
  Progress* progress = map_progress(folder_.path() / "progress");
  ASSERT_NE(progress, nullptr);
  const char* wanted = getenv("PIPIT_CRASH_ROUNDS");  // tools/check asks for more
  const unsigned rounds = wanted != nullptr ? static_cast<unsigned>(atoi(wanted)) : 16;
  int checked_snapshots = 0;
  {  // The retention of an empty store counts from the clock, later from the newest sample.
    StoreOptions everything = crash_options(options().path);
    everything.retention = 0;
    store_ = Store::open(everything, metrics_).value();
    ASSERT_EQ(append_batch(*store_, 0), Appended::whole);
    progress->acknowledged = 1;
    store_.reset();
  }
  for (unsigned round = 1; round <= rounds; ++round) {
    SCOPED_TRACE(round);
    write_and_kill(folder_.path(), round, *progress);
    if (HasFatalFailure()) break;
    if (round % 4 != 0) continue;  // several kills without a clean end between them
    auto opened = Store::open(crash_options(options().path), metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
    EXPECT_LE(store_->stats().max_time, time_of(progress->acknowledged));
    expect_all(*store_, *progress,
               {"", progress->acknowledged, progress->deletions_acknowledged, progress->deletions_started});
    if (HasFatalFailure()) break;
    store_.reset();
    expect_snapshots(folder_.path(), *progress, checked_snapshots);
    if (HasFatalFailure()) break;
  }
  if (rounds >= 16) {
    EXPECT_GT(progress->deletions_acknowledged, 0);
    EXPECT_GT(progress->snapshots, 0);
  }
  munmap(progress, sizeof(Progress));
}

TEST_F(StoreTest, AnotherProcessIsNamed) {
  open();
  MetricsRegistry metrics;
  auto second = Store::open(options(), metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::unavailable);
  EXPECT_NE(second.error().message.find(options().path.string()), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().message.find("in use"), std::string::npos) << second.error().message;
}

TEST_F(StoreTest, AFolderThatCantBeMadeIsNamed) {
  MetricsRegistry metrics;
  StoreOptions bad;
  bad.path = "/proc/pipit/data";
  auto store = Store::open(bad, metrics);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().kind, ErrorKind::unavailable);
  EXPECT_NE(store.error().message.find("/proc/pipit/data"), std::string::npos);
}

}  // namespace
}  // namespace pipit
