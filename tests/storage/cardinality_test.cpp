#include "storage/cardinality.h"

#include "storage/keys.h"
#include "tests/storage/store_fixture.h"

namespace pipit {

inline void PrintTo(const Cardinality::Count& count, std::ostream* out) { *out << count.name << ": " << count.count; }

namespace {

using Counts = std::vector<Cardinality::Count>;

constexpr TimestampMs kStart = window_start(window_of(1'700'000'000'000));

class CardinalityTest : public StoreTest {
 protected:
  /// `up` of three instances, `cpu` of two of them with modes.
  void fill() {
    for (const char* instance : {"a", "bb", "ccc"}) {
      add({{"__name__", "up"}, {"instance", instance}}, kStart, 1);
      if (*instance == 'c') continue;
      for (const char* mode : {"idle", "user"}) {
        add({{"__name__", "cpu"}, {"instance", instance}, {"mode", mode}}, kStart, 1);
      }
    }
  }
};

TEST_F(CardinalityTest, CountsSeriesLabelsAndPairs) {
  open();
  fill();
  for (int i = 0; i < 2; ++i) {
    const Cardinality found = store_->cardinality(10).value();
    EXPECT_EQ(found.series, 7u);
    EXPECT_EQ(found.metrics, 2u);
    EXPECT_EQ(found.label_names, 3u);
    EXPECT_EQ(found.label_pairs, 7u);
    EXPECT_EQ(found.series_by_metric, (Counts{{"cpu", 4}, {"up", 3}}));
    EXPECT_EQ(found.values_by_label, (Counts{{"instance", 3}, {"__name__", 2}, {"mode", 2}}));
    EXPECT_EQ(found.bytes_by_label, (Counts{{"__name__", 18}, {"mode", 16}, {"instance", 12}}));
    EXPECT_EQ(found.series_by_pair, (Counts{{"__name__=cpu", 4},
                                            {"__name__=up", 3},
                                            {"instance=a", 3},
                                            {"instance=bb", 3},
                                            {"mode=idle", 2},
                                            {"mode=user", 2},
                                            {"instance=ccc", 1}}));
    const Cardinality largest = store_->cardinality(1).value();
    EXPECT_EQ(largest.series_by_metric, (Counts{{"cpu", 4}}));
    EXPECT_EQ(largest.series_by_pair, (Counts{{"__name__=cpu", 4}}));
    EXPECT_EQ(largest.label_pairs, 7u);
    checkpoint();
    reopen();
  }
}

TEST_F(CardinalityTest, ShowsWhatCameAndWent) {
  open();
  // Three instances, of which a deploy replaces one every two hours.
  for (int hours = 0; hours < 4; ++hours) {
    for (int i = hours; i < hours + 3; ++i) {
      add({{"__name__", "up"}, {"instance", std::to_string(i)}}, kStart + hours * kWindowMs, 1);
    }
    checkpoint();
  }
  reopen();
  const Cardinality found = store_->cardinality(10).value();
  ASSERT_EQ(found.churn.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(found.churn[i].start, kStart + static_cast<TimestampMs>(i) * kWindowMs);
    EXPECT_EQ(found.churn[i].series, 3u);
    EXPECT_EQ(found.churn[i].appeared, i == 0 ? 3u : 1u);
    EXPECT_EQ(found.churn[i].vanished, i == 0 ? 0u : 1u);
  }
  EXPECT_FALSE(found.file_bytes.empty());
}

TEST_F(CardinalityTest, AnEmptyStoreHasNothing) {
  open();
  const Cardinality found = store_->cardinality(10).value();
  EXPECT_EQ(found.series, 0u);
  EXPECT_TRUE(found.series_by_pair.empty());
  EXPECT_TRUE(found.churn.empty());
}

}  // namespace
}  // namespace pipit
