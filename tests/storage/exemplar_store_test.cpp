#include "storage/exemplar_store.h"

#include <gtest/gtest.h>

#include "telemetry/metrics.h"

namespace pipit {
namespace {

using Outcome = ExemplarStore::Outcome;

class ExemplarStoreTest : public ::testing::Test {
 protected:
  Outcome add(SeriesRef ref, const std::string& trace, double value, TimestampMs time, bool has_time = true) {
    return store.add(ref,
                     [ref] {
                       return Labels{{"__name__", "m"}, {"series", std::to_string(ref)}};
                     },
                     {Labels{{"trace", trace}}, value, time, has_time});
  }

  /// `series:trace@time trace@time ...` of what matches `series=~matching`.
  std::string select(const std::string& matching = ".*", TimestampMs from = kMinTimestamp,
                     TimestampMs to = kMaxTimestamp) const {
    const std::vector<std::vector<Matcher>> sets = {
        {Matcher::equal("__name__", "m"), Matcher::make(MatchType::regex, "series", matching).value()}};
    std::string out;
    for (const SeriesExemplars& series : store.select(sets, from, to)) {
      out += std::string(series.series.get("series")) + ":";
      for (const Exemplar& e : series.exemplars) {
        out += std::string(e.labels.get("trace")) + "@" + std::to_string(e.time) + " ";
      }
    }
    if (!out.empty()) out.pop_back();
    return out;
  }

  MetricsRegistry metrics;
  ExemplarStore store{metrics, 4};
};

TEST_F(ExemplarStoreTest, AnswersByMatchersAndTime) {
  EXPECT_EQ(select(), "");
  EXPECT_EQ(add(2, "a", 1, 10), Outcome::stored);
  EXPECT_EQ(add(1, "b", 2, 20), Outcome::stored);
  EXPECT_EQ(add(2, "c", 3, 30), Outcome::stored);
  EXPECT_EQ(select(), "1:b@20 2:a@10 c@30");
  EXPECT_EQ(select("2"), "2:a@10 c@30");
  EXPECT_EQ(select("2", 30, 30), "2:c@30");
  EXPECT_EQ(select(".*", 11, 29), "1:b@20");
  EXPECT_TRUE(store.select({}, kMinTimestamp, kMaxTimestamp).empty());
}

TEST_F(ExemplarStoreTest, BytesThatAreNoCharactersAreBoundedToo) {
  EXPECT_EQ(add(1, std::string(70'000, '\x80'), 1, 10), Outcome::too_long);
  EXPECT_EQ(add(1, "a", 1, 10), Outcome::stored);
  EXPECT_EQ(select(), "1:a@10");
}

TEST_F(ExemplarStoreTest, TheSameOneIsStoredOnce) {
  EXPECT_EQ(add(1, "a", 1, 10), Outcome::stored);
  EXPECT_EQ(add(1, "a", 1, 10), Outcome::duplicate);
  EXPECT_EQ(add(1, "b", 2, 9), Outcome::out_of_order);
  EXPECT_EQ(add(1, "b", 2, 10), Outcome::stored) << "newer by its value";
  EXPECT_EQ(add(1, "c", 1, 11, false), Outcome::stored);
  EXPECT_EQ(add(1, "c", 1, 12, false), Outcome::duplicate) << "without a time of its own it is the same at any time";
  EXPECT_EQ(select(), "1:a@10 b@10 c@11");
}

TEST_F(ExemplarStoreTest, TheOldestMakesRoom) {
  for (int i = 1; i <= 6; ++i) add(static_cast<SeriesRef>(i % 2 + 1), std::to_string(i), i, i);
  EXPECT_EQ(select(), "1:4@4 6@6 2:3@3 5@5");
  EXPECT_EQ(store.size(), 4U);
  for (int i = 7; i <= 10; ++i) add(3, std::to_string(i), i, i);
  EXPECT_EQ(select(), "3:7@7 8@8 9@9 10@10") << "series without exemplars are forgotten";
  EXPECT_NE(metrics.render().find("pipit_exemplars_series_in_storage 1\n"), std::string::npos);
  add(1, "11", 11, 11);
  EXPECT_EQ(select(), "1:11@11 3:8@8 9@9 10@10");
}

TEST_F(ExemplarStoreTest, ASeriesWithAnotherReferenceIsTheSame) {
  add(1, "a", 1, 10);
  store.add(7, [] { return Labels{{"__name__", "m"}, {"series", "1"}}; }, {Labels{{"trace", "b"}}, 2, 20});
  EXPECT_EQ(select(), "1:a@10 b@20");
}

TEST_F(ExemplarStoreTest, CapacityMayChange) {
  for (int i = 1; i <= 6; ++i) add(static_cast<SeriesRef>(i % 2 + 1), std::to_string(i), i, i);
  store.set_capacity(2);
  EXPECT_EQ(select(), "1:6@6 2:5@5");
  store.set_capacity(3);
  for (int i = 7; i <= 8; ++i) add(static_cast<SeriesRef>(i % 2 + 1), std::to_string(i), i, i);
  EXPECT_EQ(select(), "1:6@6 8@8 2:7@7");
  store.set_capacity(0);
  EXPECT_EQ(add(1, "a", 1, 100), Outcome::disabled);
  EXPECT_EQ(select(), "");
  store.set_capacity(1);
  EXPECT_EQ(add(1, "a", 1, 1), Outcome::stored);
  EXPECT_EQ(add(1, "b", 2, 2), Outcome::stored);
  EXPECT_EQ(select(), "1:b@2");
}

TEST_F(ExemplarStoreTest, LabelsAreBounded) {
  EXPECT_EQ(add(1, std::string(123, 'x'), 1, 1), Outcome::stored);
  EXPECT_EQ(add(1, std::string(124, 'x'), 1, 2), Outcome::too_long);
  std::string wide;
  for (int i = 0; i < 123; ++i) wide += "\xc3\xa9";
  EXPECT_EQ(add(1, wide, 1, 3), Outcome::stored) << "characters count, not bytes";
}

}  // namespace
}  // namespace pipit
