// Which days go: by time, whatever the clock says, and by size.

#include "storage/expiry.h"

#include <random>

#include "model/duration.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kDay = kPartitionMs;

TEST(Expiry, BySizeTheOldestFirstAndNeverTheNewest) {
  const std::vector<StoredDay> days{{10, 100}, {11, 50}, {13, 0}, {14, 200}};
  struct Case {
    std::uint64_t limit;
    std::uint64_t total;
    Partition keep_from;
  };
  for (const Case c : {Case{0, 1000, 10}, Case{400, 400, 10}, Case{399, 400, 11}, Case{300, 400, 11},
                       Case{299, 400, 13}, Case{250, 400, 13}, Case{249, 400, 14}, Case{1, 400, 14}}) {
    EXPECT_EQ(keep_by_size({0, c.limit}, days, c.total), c.keep_from) << c.limit << " of " << c.total;
  }
  EXPECT_EQ(keep_by_size({0, 1}, {{{7, 1000}}}, 1000), 7);
}

TEST(Expiry, ByTimeCountsFromTheNewestSampleAtMost) {
  EXPECT_EQ(retention_base(1000, 900), 900) << "the clock is ahead, or nothing has come for long";
  EXPECT_EQ(retention_base(1000, 5000), 1000) << "a sample of the future";
  EXPECT_EQ(retention_base(1000, kMinTimestamp), 1000) << "no sample at all";
  EXPECT_EQ(keep_by_time({3 * kDay, 0}, 10 * kDay), 7);
  EXPECT_EQ(keep_by_time({3 * kDay, 0}, 10 * kDay - 1), 6);
  EXPECT_EQ(keep_by_time({0, 0}, 10 * kDay), partition_of(kMinStorableTime));
  EXPECT_EQ(keep_by_time({kDay, 0}, kMinTimestamp), partition_of(kMinStorableTime));
}

class ExpiryTest : public StoreTest {
 protected:
  /// Days of samples that can't be compressed, the newest one today.
  void fill(int days, DurationMs step = 60'000) {
    std::mt19937_64 random(3);
    const SeriesRef ref = store_->series({{"__name__", "m"}, {"kind", "long"}}).value();
    for (TimestampMs time = today_ - (days - 1) * kDay; time < today_ + kDay; time += step) {
      const double value = std::bit_cast<double>(random() >> 2);
      ASSERT_EQ(store_->append({{&ref, 1}, {&value, 1}, {&time, 1}}).value().stored, 1u);
    }
    checkpoint();
  }
  Partition oldest_day() const { return partition_of(select_all(*store_, {}).begin()->second.front().first); }
  double metric_value(const std::string& name) const {
    const std::string page = metrics_.render();
    return std::strtod(page.c_str() + page.find("\n" + name + " ") + name.size() + 2, nullptr);
  }

  const TimestampMs today_ = partition_start(partition_of(now_ms()));
};

TEST_F(ExpiryTest, WholeDaysLeaveUntilAllFits) {
  open();
  add({{"__name__", "m"}, {"kind", "short"}}, today_ - 9 * kDay, 1);
  fill(10);
  reopen();  // the log is short now
  const double all = metric_value("pipit_storage_file_bytes");
  const double of_chunks = metric_value("pipit_storage_chunk_file_bytes");
  ASSERT_GT(of_chunks, 100'000);
  ASSERT_TRUE(store_->apply_retention(now_ms()).ok());
  EXPECT_EQ(select_all(*store_, {}).size(), 2u) << "no limit";

  retention_bytes_ = static_cast<std::uint64_t>(all - of_chunks * 0.45);
  reopen();
  ASSERT_TRUE(store_->apply_retention(now_ms()).ok());
  EXPECT_LE(metric_value("pipit_storage_file_bytes"), static_cast<double>(retention_bytes_));
  EXPECT_EQ(metric_value("pipit_storage_size_retentions_total"), 1);
  EXPECT_EQ(select_all(*store_, {}).size(), 1u);
  const Partition today = partition_of(today_);
  EXPECT_GE(oldest_day(), today - 6);
  EXPECT_LE(oldest_day(), today - 2);
  EXPECT_EQ(select_all(*store_, {}).begin()->second.size(), static_cast<std::size_t>(today - oldest_day() + 1) * 1440);
  EXPECT_EQ(store_->label_values("kind", {}, kMinTimestamp, kMaxTimestamp, 0).value(),
            std::vector<std::string>{"long"});
  // It is enough: the next run has nothing to do.
  const Partition oldest = oldest_day();
  ASSERT_TRUE(store_->apply_retention(now_ms()).ok());
  EXPECT_EQ(oldest_day(), oldest);
  EXPECT_EQ(metric_value("pipit_storage_size_retentions_total"), 1);

  retention_bytes_ = 1;
  reopen();
  ASSERT_TRUE(store_->apply_retention(now_ms()).ok());
  EXPECT_EQ(oldest_day(), today);
}

/// Ten years ahead, or an hour: what was stored last stays, and is seen.
TEST_F(ExpiryTest, AClockThatJumpsAheadDeletesNothing) {
  open();
  fill(10);
  retention_ = 5 * kDay;
  reopen();
  ASSERT_TRUE(store_->apply_retention(now_ms() + 3650 * kDay).ok());
  const Partition today = partition_of(today_);
  EXPECT_GE(oldest_day(), today - 5);
  EXPECT_LE(oldest_day(), today - 4);
}

/// A store that has been off for a month still shows its last days.
TEST_F(ExpiryTest, OldDataStaysUntilNewComes) {
  open();
  const Labels labels{{"__name__", "m"}};
  for (int day = 60; day >= 30; --day) add(labels, today_ - day * kDay, day);
  retention_ = 10 * kDay;
  reopen();
  ASSERT_TRUE(store_->apply_retention(now_ms()).ok());
  EXPECT_EQ(select_all(*store_, {}).begin()->second.size(), 11u);
  add(labels, today_, 0);
  EXPECT_EQ(select_all(*store_, {}).begin()->second.size(), 1u);
  reopen();
  ASSERT_TRUE(store_->apply_retention(now_ms()).ok());
  retention_ = 0;
  reopen();
  EXPECT_EQ(select_all(*store_, {}).begin()->second.size(), 1u);
}

/// Samples may come late into days that went for their size. The limit of time is to drop these when they are due.
TEST_F(ExpiryTest, TheLimitOfTimeGoesOnAfterDaysWentForTheirSize) {
  open();
  fill(10, 10'000);
  reopen();
  const double of_chunks = metric_value("pipit_storage_chunk_file_bytes");
  retention_bytes_ = static_cast<std::uint64_t>(metric_value("pipit_storage_file_bytes") - of_chunks * 0.41);
  retention_ = 30 * kDay;
  reopen();
  ASSERT_TRUE(store_->apply_retention(now_ms()).ok());
  ASSERT_GT(oldest_day(), partition_of(today_) - 9);
  add({{"__name__", "late"}}, today_ - 28 * kDay, 1);
  add({{"__name__", "m"}, {"kind", "long"}}, today_ + 5 * kDay, 0);  // so that the limit of time is at 25 days ago
  checkpoint();
  ASSERT_EQ(store_->stats().min_time, today_ - 28 * kDay);
  ASSERT_TRUE(store_->apply_retention(today_ + 5 * kDay).ok());
  EXPECT_EQ(metric_value("pipit_storage_size_retentions_total"), 1) << "it was for the time";
  EXPECT_GE(store_->stats().min_time, today_ - 25 * kDay);
}

}  // namespace
}  // namespace pipit
