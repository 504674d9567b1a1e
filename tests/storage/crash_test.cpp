// What survives: a child process writes and is killed, the parent opens what it left.

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <random>
#include <thread>

#include "model/duration.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr int kSeries = 40;
constexpr TimestampMs kStart = 1'700'000'000'000;
constexpr DurationMs kStep = 600'000;

Labels labels_of(int series) { return {{"__name__", "m" + std::to_string(series % 5)}, {"n", std::to_string(series)}}; }
/// Any value is known from where it stands, so that the parent can tell what must be there.
double value_of(int series, int batch) {
  if (series % 3 == 0) return series;
  if (series % 3 == 1) return (batch * 7 + series) % 1000 / 10.0;
  return batch % 11 == 0 ? stale_nan() : batch / 3.0;
}

/// Comes one batch late.
bool is_late(int series, int batch) { return (batch + series) % 23 == 0; }

struct Progress {
  std::atomic<int> acknowledged = 0;
};

/// Goes on where the one before was killed. Whatever `acknowledged` says must be there.
[[noreturn]] void write_until_killed(const StoreOptions& options, unsigned seed, Progress& progress) {
  MetricsRegistry metrics;
  auto store = Store::open(options, metrics);
  if (!store.ok()) _exit(3);
  const TimestampMs last = (*store)->stats().max_time;
  const int first = last < kStart ? 0 : static_cast<int>((last - kStart) / kStep) + 1;
  if (first < progress.acknowledged) _exit(7);
  std::thread checkpoints([&, seed] {
    std::mt19937 random(seed);
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
      if (!(*store)->checkpoint().ok()) _exit(4);
      if (random() % 3 == 0 && !(*store)->merge_closed_days(now_ms()).ok()) _exit(4);
    }
  });
  for (int batch = first;; ++batch) {
    std::vector<SeriesRef> refs;
    std::vector<double> values;
    std::vector<TimestampMs> times;
    for (int i = 0; i < kSeries; ++i) {
      auto ref = (*store)->series(labels_of(i));
      if (!ref.ok()) _exit(5);
      for (const int sample : {batch, batch - 1}) {
        if (sample < 0 || (sample + i) % 17 == 0 || is_late(i, sample) != (sample < batch)) continue;
        refs.push_back(*ref);
        values.push_back(value_of(i, sample));
        times.push_back(kStart + sample * kStep);
      }
    }
    auto report = (*store)->append({refs, values, times});
    if (!report.ok() || report->stored != refs.size()) _exit(6);
    progress.acknowledged.store(batch + 1);
  }
}

Progress* map_progress(const std::filesystem::path& file) {
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT, 0600);
  if (descriptor < 0 || ftruncate(descriptor, sizeof(Progress)) != 0) return nullptr;
  void* memory = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  return memory == MAP_FAILED ? nullptr : static_cast<Progress*>(memory);
}

/// The writer is this program anew, as a fork alone has none of RocksDB's threads. Not a test of its own.
TEST(CrashWriter, DISABLED_WritesUntilKilled) {
  const char* folder = getenv("PIPIT_CRASH_FOLDER");
  ASSERT_NE(folder, nullptr) << "this part is started by EveryAcknowledgedSampleSurvivesKillOnce";
  StoreOptions options;
  options.path = std::filesystem::path(folder) / "pipit";
  options.retention = 0;
  options.out_of_order_window = 10 * kStep;
  Progress* progress = map_progress(std::filesystem::path(folder) / "progress");
  ASSERT_NE(progress, nullptr);
  write_until_killed(options, static_cast<unsigned>(atoi(getenv("PIPIT_CRASH_SEED"))), *progress);
}

/// Starts a writer, lets it work for a random while and kills it.
void write_and_kill(const std::filesystem::path& folder, unsigned seed, Progress& progress) {
  const int before = progress.acknowledged;
  const std::string folder_setting = "PIPIT_CRASH_FOLDER=" + folder.string();
  const std::string seed_setting = "PIPIT_CRASH_SEED=" + std::to_string(seed);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const char* const arguments[] = {"storage_test", "--gtest_also_run_disabled_tests", "--gtest_filter=CrashWriter.*",
                                     "--gtest_brief=1", nullptr};
    const char* const environment[] = {folder_setting.c_str(), seed_setting.c_str(), nullptr};
    execve("/proc/self/exe", const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
    _exit(9);
  }
  std::mt19937 random(seed);
  if (seed % 5 != 0) {  // else perhaps in the middle of the start
    for (int waited = 0; progress.acknowledged == before && waited < 20'000; ++waited) usleep(1000);
    ASSERT_GT(progress.acknowledged, before) << "the writer did not get to write";
  }
  usleep(random() % 120'000);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself, with " << WEXITSTATUS(status);
}

/// The batch that was under way is there as a whole or not at all, everything before it is there.
void expect_all(const Store& store, int acknowledged) {
  const SeriesList found = select_all(store, {});
  const int batches = static_cast<int>((store.stats().max_time - kStart) / kStep) + 1;
  ASSERT_GE(batches, acknowledged) << "an acknowledged batch is missing";
  ASSERT_LE(batches, acknowledged + 1);
  for (int i = 0; i < kSeries; ++i) {
    SampleList expected;
    for (int batch = 0; batch < batches; ++batch) {
      if (batch == batches - 1 && is_late(i, batch)) continue;
      if ((batch + i) % 17 != 0) expected.emplace_back(kStart + batch * kStep, bits(value_of(i, batch)));
    }
    const auto series = found.find(labels_of(i).to_string());
    ASSERT_NE(series, found.end());
    const auto [found_at, expected_at] = std::ranges::mismatch(series->second, expected);
    ASSERT_TRUE(series->second == expected)
        << "series " << i << " differs from batch "
        << (expected_at == expected.end() ? batches : (expected_at->first - kStart) / kStep) << " of " << batches
        << ", found batch " << (found_at == series->second.end() ? -1 : (found_at->first - kStart) / kStep);
  }
  ASSERT_EQ(found.size(), static_cast<std::size_t>(kSeries)) << "a series was made twice";
}

TEST_F(StoreTest, EveryAcknowledgedSampleSurvivesKillOnce) {
  Progress* progress = map_progress(folder_.path() / "progress");
  ASSERT_NE(progress, nullptr);
  const char* wanted = getenv("PIPIT_CRASH_ROUNDS");  // tools/check asks for more
  const unsigned rounds = wanted != nullptr ? static_cast<unsigned>(atoi(wanted)) : 16;
  for (unsigned round = 1; round <= rounds; ++round) {
    SCOPED_TRACE(round);
    write_and_kill(folder_.path(), round, *progress);
    if (HasFatalFailure()) break;
    if (round % 4 != 0) continue;  // several kills without a clean end between them
    StoreTest::open();
    expect_all(*store_, progress->acknowledged);
    if (HasFatalFailure()) break;
    store_.reset();
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
