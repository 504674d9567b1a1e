#include "storage/exemplar_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

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

/// A file that several stores, one after another, keep their exemplars in.
class ExemplarLogTest : public ::testing::Test {
 protected:
  ExemplarLogTest() { remove(); }
  ~ExemplarLogTest() override { remove(); }
  void remove() const {
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + ".old");
  }

  std::unique_ptr<ExemplarStore> open(std::size_t capacity = 100) {
    auto store = std::make_unique<ExemplarStore>(metrics_, capacity);
    store->keep_on_disk(path_);
    return store;
  }
  static void add(ExemplarStore& store, const std::string& series, const std::string& trace, TimestampMs time,
                  bool has_time = true) {
    const Labels labels{{"__name__", "m"}, {"series", series}};
    store.add(std::hash<std::string>()(series) | 1, [&] { return labels; },
              {Labels{{"trace", trace}}, 0.5, time, has_time});
  }
  static std::string traces(const ExemplarStore& store) {
    const std::vector<std::vector<Matcher>> sets = {{Matcher::equal("__name__", "m")}};
    std::string out;
    for (const SeriesExemplars& series : store.select(sets, kMinTimestamp, kMaxTimestamp)) {
      out += std::string(series.series.get("series")) + ":";
      for (const Exemplar& e : series.exemplars) {
        out += std::string(e.labels.get("trace")) + "@" + std::to_string(e.time) + " ";
      }
    }
    return out;
  }

  std::string path_ = testing::TempDir() + "exemplars." + std::to_string(::getpid());
  MetricsRegistry metrics_;
};

TEST_F(ExemplarLogTest, ARestartBringsThemBack) {
  EXPECT_EQ(traces(*open()), "");
  EXPECT_FALSE(std::filesystem::exists(path_)) << "there is no file without exemplars";
  for (int run = 0; run < 3; ++run) {
    auto store = open();
    add(*store, "a", "t" + std::to_string(run), 10 * run);
    add(*store, "b", "same", -5, false);
  }
  auto store = open();
  EXPECT_EQ(traces(*store), "a:t0@0 t1@10 t2@20 b:same@-5 ");
  add(*store, "b", "same", 7, false);
  EXPECT_EQ(traces(*store), "a:t0@0 t1@10 t2@20 b:same@-5 ") << "one that repeats is known to be the same";
  EXPECT_EQ(store->size(), 4U);
}

TEST_F(ExemplarLogTest, FilesAreBounded) {
  std::uintmax_t largest = 0;
  for (int run = 0; run < 5; ++run) {
    auto store = open(10);
    for (int i = 0; i < 100; ++i) {
      add(*store, std::to_string(i % 30), "t" + std::to_string(i), 1000 * run + i);
      largest = std::max(largest, std::filesystem::file_size(path_));
    }
  }
  EXPECT_LT(largest, 2000U);
  EXPECT_EQ(traces(*open(3)), "7:t97@4097 8:t98@4098 9:t99@4099 ");
  EXPECT_EQ(open(10)->size(), 10U);
}

TEST_F(ExemplarLogTest, AFileThatIsCutOrDamagedCountsUpToThere) {
  {
    auto store = open();
    add(*store, "a", "one", 1);
    add(*store, "a", "two", 2);
  }
  const auto whole = std::filesystem::file_size(path_);
  std::filesystem::resize_file(path_, whole - 3);
  {
    auto store = open();
    EXPECT_EQ(traces(*store), "a:one@1 ");
    add(*store, "a", "three", 3);
  }
  EXPECT_EQ(traces(*open()), "a:one@1 three@3 ") << "it is written on from its last good record";
  for (std::uintmax_t size = 0; size < whole; ++size) {
    std::filesystem::resize_file(path_, size);
    open();
  }
  std::ofstream(path_) << "pipit exemplars 1\n" << std::string(100, '\xff');
  EXPECT_EQ(traces(*open()), "");
  std::ofstream(path_) << "something else";
  add(*open(), "a", "one", 1);
  EXPECT_EQ(traces(*open()), "a:one@1 ");
}

}  // namespace
}  // namespace pipit
