#include <random>

#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

const Labels kUp{{"__name__", "up"}, {"job", "node"}, {"instance", "a:1"}};
constexpr const char* kUpText = R"(up{instance="a:1", job="node"})";

TEST_F(StoreTest, StoresAndSelects) {
  open();
  EXPECT_EQ(add(kUp, 1000, 1).stored, 1u);
  EXPECT_EQ(add(kUp, 2000, 0.5).stored, 1u);
  const SeriesList expected{{kUpText, {{1000, bits(1)}, {2000, bits(0.5)}}}};
  EXPECT_EQ(select_all(*store_, metric("up")), expected);
  checkpoint();
  EXPECT_EQ(select_all(*store_, metric("up")), expected);
  reopen();
  EXPECT_EQ(select_all(*store_, metric("up")), expected);
  EXPECT_TRUE(select_all(*store_, metric("down")).empty());
}

TEST_F(StoreTest, RangesAreInclusive) {
  open();
  for (int i = 1; i <= 5; ++i) add(kUp, i * 1000LL, i);
  for (const bool stored : {false, true}) {
    if (stored) checkpoint();
    EXPECT_EQ(select_all(*store_, metric("up"), 2000, 4000).at(kUpText),
              (SampleList{{2000, bits(2)}, {3000, bits(3)}, {4000, bits(4)}}));
    EXPECT_TRUE(select_all(*store_, metric("up"), 5001, 9000).empty());
    EXPECT_TRUE(select_all(*store_, metric("up"), 0, 999).empty());
    EXPECT_TRUE(select_all(*store_, metric("up"), 3500, 3600).empty());
  }
}

/// The rules of `AppendReport`, with the newest sample in RAM, on disk, and on disk of an earlier run.
TEST_F(StoreTest, JudgesDuplicatesAndOrder) {
  open();
  for (const char* where : {"in RAM", "on disk", "of an earlier run"}) {
    SCOPED_TRACE(where);
    const Labels labels{{"__name__", "m"}, {"where", where}};
    add(labels, 1000, 1);
    add(labels, 2000, stale_nan());
    if (where[0] == 'o') checkpoint();
    if (where[1] == 'f') reopen();
    EXPECT_EQ(add(labels, 2000, stale_nan()).stored, 1u);
    EXPECT_EQ(add(labels, 2000, normal_nan()).duplicates, 1u);
    EXPECT_EQ(add(labels, 1000, 1).out_of_order, 1u);
    EXPECT_EQ(add(labels, 1500, 1).out_of_order, 1u);
    EXPECT_EQ(add(labels, 3000, 3).stored, 1u);
    EXPECT_EQ(select_all(*store_, {Matcher::equal("where", where)}).begin()->second,
              (SampleList{{1000, bits(1)}, {2000, kStaleNaNBits}, {3000, bits(3)}}));
  }
}

TEST_F(StoreTest, ASeriesTwiceInABatchIsJudgedInOrder) {
  open();
  const SeriesRef ref = store_->series(kUp).value();
  const std::vector<SeriesRef> refs(5, ref);
  const std::vector<double> values{1, 1, 2, 3, 4};
  const std::vector<TimestampMs> times{1000, 1000, 1000, 2000, 500};
  const AppendReport report = store_->append({refs, values, times}).value();
  EXPECT_EQ(report.stored, 3u);
  EXPECT_EQ(report.duplicates, 1u);
  EXPECT_EQ(report.out_of_order, 1u);
  EXPECT_EQ(select_all(*store_, metric("up")).at(kUpText), (SampleList{{1000, bits(1)}, {2000, bits(3)}}));
}

TEST_F(StoreTest, UnknownHandlesAreNamedAndTheRestIsStored) {
  open();
  const std::vector<SeriesRef> refs{12345, store_->series(kUp).value(), kNoSeries};
  const std::vector<double> values{1, 2, 3};
  const std::vector<TimestampMs> times{1000};
  const AppendReport report = store_->append({refs, values, times}).value();
  EXPECT_EQ(report.stored, 1u);
  EXPECT_EQ(report.unknown, (std::vector<std::uint32_t>{0, 2}));
}

TEST_F(StoreTest, TimesThatCantBeStoredAreOutOfBounds) {
  open();
  for (const TimestampMs time : {kMinTimestamp, kMinTimestamp + 1, kMaxTimestamp, kMaxTimestamp - 1}) {
    EXPECT_EQ(add(kUp, time, 1).out_of_bounds, 1u);
  }
  EXPECT_EQ(add(kUp, -5'000'000'000'000, 1).stored, 1u);
  EXPECT_EQ(add(kUp, -1, 2).stored, 1u);
  EXPECT_EQ(add(kUp, 0, 3).stored, 1u);
  EXPECT_EQ(add(kUp, 9'000'000'000'000'000, 4).stored, 1u);
  reopen();
  EXPECT_EQ(select_all(*store_, metric("up")).at(kUpText),
            (SampleList{{-5'000'000'000'000, bits(1)}, {-1, bits(2)}, {0, bits(3)}, {9'000'000'000'000'000, bits(4)}}));
  EXPECT_EQ(store_->stats().min_time, -5'000'000'000'000);
  EXPECT_EQ(store_->stats().max_time, 9'000'000'000'000'000);
}

TEST_F(StoreTest, LabelsOfAnyBytesAreToldApart) {
  open();
  const std::vector<Labels> all{
      {{"__name__", "m"}, {"a", "bc"}},
      {{"__name__", "m"}, {"ab", "c"}},
      {{"__name__", "m"}, {"a", std::string("b\0c", 3)}},
      {{"__name__", "m"}, {"a", "b"}, {"c", "d"}},
      {{"__name__", "m"}, {"a", "b\xff\xff"}, {"Upper", "sorts before __name__"}},
      {{"__name__", "m"}},
      {{"__name__", "m\xff"}, {"a", "bc"}},
      {{"__name__", std::string(300, 'n')}, {std::string(200, 'l'), std::string(5000, 'v')}},
  };
  for (std::size_t i = 0; i < all.size(); ++i) add(all[i], 1000, static_cast<double>(i));
  reopen();
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<Matcher> matchers;
    for (const Label& label : all[i]) matchers.push_back(Matcher::equal(label.name, label.value));
    const SeriesList found = select_all(*store_, matchers);
    ASSERT_EQ(found.count(all[i].to_string()), 1u) << all[i].to_string();
    EXPECT_EQ(found.at(all[i].to_string()), (SampleList{{1000, bits(static_cast<double>(i))}}));
  }
  EXPECT_EQ(store_->series({}, kMinTimestamp, kMaxTimestamp, 0).value().size(), all.size());
}

TEST_F(StoreTest, SeriesKeepTheirIdsOverARestart) {
  open();
  add(kUp, 1000, 1);
  reopen();
  add(kUp, 2000, 2);
  EXPECT_EQ(store_->series({}, kMinTimestamp, kMaxTimestamp, 0).value().size(), 1u);
  EXPECT_EQ(select_all(*store_, metric("up")).at(kUpText).size(), 2u);
}

TEST_F(StoreTest, ManySamplesOverManyDays) {
  open();
  SampleList expected;
  std::mt19937 random(3);
  TimestampMs time = 1'700'000'000'000;
  for (int i = 0; i < 20'000; ++i, time += 60'000) {
    const double value = static_cast<double>(random() % 1000) / 8;
    add(kUp, time, value);
    expected.emplace_back(time, bits(value));
    if (i % 7000 == 6999) checkpoint();
  }
  EXPECT_EQ(select_all(*store_, metric("up")).at(kUpText), expected);
  const SampleList middle(expected.begin() + 5000, expected.begin() + 9001);
  EXPECT_EQ(select_all(*store_, metric("up"), middle.front().first, middle.back().first).at(kUpText), middle);
  reopen();
  EXPECT_EQ(select_all(*store_, metric("up")).at(kUpText), expected);
}

TEST_F(StoreTest, MetadataIsKept) {
  open();
  ASSERT_TRUE(store_->set_metadata("up", {MetricType::gauge, "Whether it is up.", ""}).ok());
  ASSERT_TRUE(store_->set_metadata("size", {MetricType::counter, "", "bytes"}).ok());
  ASSERT_TRUE(store_->set_metadata("up", {MetricType::gauge, "Is it up?", ""}).ok());
  reopen();
  const auto all = store_->metadata("", 0).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].metric, "size");
  EXPECT_EQ(all[0].metadata, (Metadata{MetricType::counter, "", "bytes"}));
  EXPECT_EQ(store_->metadata("up", 0).value().at(0).metadata.help, "Is it up?");
  EXPECT_TRUE(store_->metadata("u", 0).value().empty());
  EXPECT_EQ(store_->metadata("", 1).value().size(), 1u);
}

TEST_F(StoreTest, ACanceledQueryEnds) {
  open();
  add(kUp, 1000, 1);
  SymbolTable symbols;
  const std::atomic<bool> canceled = true;
  const auto matchers = metric("up");
  auto cursor = store_->select({matchers, kMinTimestamp, kMaxTimestamp, &canceled}, symbols);
  ASSERT_TRUE(!cursor.ok() || !(*cursor)->next().ok());
}

TEST_F(StoreTest, ASeriesNeedsAMetricNameAndBoundedLabels) {
  open();
  EXPECT_EQ(store_->series({{"job", "a"}}).error().kind, ErrorKind::bad_data);
  EXPECT_EQ(store_->series({{"__name__", "m"}, {"l", std::string(1 << 20, 'x')}}).error().kind, ErrorKind::bad_data);
}

TEST_F(StoreTest, AClosedStoreRefuses) {
  open();
  const SeriesRef ref = store_->series(kUp).value();
  ASSERT_TRUE(store_->close().ok());
  const double value = 1;
  const TimestampMs time = 1;
  EXPECT_EQ(store_->append({{&ref, 1}, {&value, 1}, {&time, 1}}).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(store_->checkpoint().error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(store_->close().ok());
}

}  // namespace
}  // namespace pipit
