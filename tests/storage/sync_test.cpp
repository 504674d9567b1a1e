// What a power failure may cost: how often the write-ahead log is forced to the disk.

#include <chrono>
#include <thread>

#include "storage/open_store.h"
#include "tests/storage/memory_database.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

class SyncTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> open(DurationMs interval) {
    StoreOptions options;
    options.path = folder_.path();
    options.retention = 0;
    options.log_sync_interval = interval;
    return open_store({[this](const Database::Options&) { return open_memory_database(disk_); }}, options, metrics_)
        .value();
  }
  static void append(Store& store, TimestampMs time) {
    const SeriesRef ref = store.series({{"__name__", "up"}}).value();
    const double value = 1;
    ASSERT_EQ(store.append({{&ref, 1}, {&value, 1}, {&time, 1}}).value().stored, 1u);
  }

  TemporaryFolder folder_;
  MetricsRegistry metrics_;
  std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
};

TEST_F(SyncTest, AnIntervalOfZeroSyncsBeforeEachAcknowledgement) {
  auto store = open(0);
  for (int i = 1; i <= 5; ++i) {
    const std::uint64_t before = syncs(*disk_);
    append(*store, i * 1000);
    EXPECT_GT(syncs(*disk_), before);
  }
}

TEST_F(SyncTest, AnIntervalSyncsInTheBackground) {
  auto store = open(1000);
  const std::uint64_t before = syncs(*disk_);
  for (int i = 1; i <= 5; ++i) append(*store, i * 1000);
  EXPECT_LE(syncs(*disk_), before + 1) << "not with each append";
  for (int waited = 0; syncs(*disk_) == before && waited < 10'000; waited += 10) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GT(syncs(*disk_), before);
}

}  // namespace
}  // namespace pipit
