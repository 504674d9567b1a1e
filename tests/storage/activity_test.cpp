// Which series had samples when: queries that go by it, and retention that forgets by it.

#include <random>

#include "model/duration.h"
#include "storage/database.h"
#include "storage/keys.h"
#include "tests/storage/memory_store.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kHour = 3600 * 1000;
constexpr DurationMs kDay = 24 * kHour;

class ActivityTest : public StoreTest {
 protected:
  /// All keys of the index, series and metadata of the store, which is closed for the look.
  std::vector<std::string> keys() {
    store_.reset();
    std::vector<std::string> keys;
    Database::Options here;
    here.path = options().path;
    here.visit_log = [](auto, std::uint64_t) { return Status(); };
    auto database = Database::open(here).value();
    for (auto* family : {database->index(), database->series(), database->metadata()}) {
      auto it = database->iterate(family);
      for (it->SeekToFirst(); it->Valid(); it->Next()) keys.push_back(it->key().ToString());
    }
    return keys;
  }
  /// Retention counts from the newest sample: here is one of another series. What the head had leaves it.
  void pass_days(int days) {
    const TimestampMs then = now_ms() + days * kDay;
    add({{"__name__", "clock"}}, then, 1);
    checkpoint();
    reopen();
    ASSERT_TRUE(store_->apply_retention(then).ok());
  }
};

TEST_F(ActivityTest, WindowsLieInTheirDay) {
  for (const Window window : {Window{-25}, Window{-13}, Window{-12}, Window{-1}, Window{0}, Window{11}, Window{12}}) {
    std::uint32_t metric;
    Window parsed;
    ASSERT_TRUE(parse_activity_key(activity_key(7, window), metric, parsed));
    EXPECT_EQ(metric, 7u);
    EXPECT_EQ(parsed, window);
    EXPECT_LT(activity_key(7, window), activity_key(7, window + 1));
    EXPECT_EQ(window_of(window_start(window)), window);
    EXPECT_EQ(window_of(window_start(window) - 1), window - 1);
  }
}

/// Series come and go over weeks, with checkpoints and restarts between: each range gives what a plain store gives.
TEST_F(ActivityTest, RangesFindWhatHasSamplesThen) {
  open();
  MemoryStore memory;
  std::mt19937 random(3);
  const auto any = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const TimestampMs start = now_ms() - 40 * kDay;
  TimestampMs time = start;
  for (int step = 0; step < 250; ++step) {
    time += 1 + any(static_cast<int>(4 * kHour));
    for (int i = 0; i < 8; ++i) {
      const Labels labels{{"__name__", any(2) == 0 ? "a" : "b"},
                          {"deploy", std::to_string(step / 20 + any(2))},
                          {"pod", std::to_string(any(40))}};
      if (add(labels, time, step).stored == 1) memory.add(labels, time, step);
    }
    if (any(20) == 0) checkpoint();
    if (any(60) == 0) reopen();
  }
  checkpoint();
  const std::vector<std::vector<Matcher>> selections = {
      {match(MatchType::regex, "__name__", ".+")},
      metric("a"),
      {match(MatchType::equal, "__name__", "b"), match(MatchType::not_equal, "pod", "7")},
      {match(MatchType::regex, "pod", "1.|2.")},
      {match(MatchType::equal, "pod", "3"), match(MatchType::equal, "deploy", "4")}};
  for (int question = 0; question < 25; ++question) {
    const TimestampMs from = start + static_cast<TimestampMs>(random() % static_cast<std::uint64_t>(time - start));
    const TimestampMs to = from + (any(2) == 0 ? any(static_cast<int>(6 * kHour)) : any(25) * kDay);
    for (const auto& matchers : selections) {
      EXPECT_EQ(select_all(*store_, matchers, from, to), select_all(memory, matchers, from, to));
    }
  }
}

/// A cursor that is asked for newest samples alone gives them, wherever they are, and stays within the range.
TEST_F(ActivityTest, TheNewestSampleIsWhatAllSamplesEndWith) {
  open();
  const TimestampMs now = now_ms();
  const auto newest = [&](TimestampMs from, TimestampMs to) {
    SymbolTable symbols;
    const std::vector<Matcher> all = metric("m");
    SelectRequest request{all, from, to, nullptr};
    request.newest_only = true;
    request.labels = false;
    auto cursor = store_->select(request, symbols).value();
    SampleList samples;
    while (cursor->next().value()) samples.emplace_back(cursor->times().back(), bits(cursor->values().back()));
    return samples;
  };
  for (int i = 0; i < 20; ++i) {
    add({{"__name__", "m"}, {"pod", "a"}}, now - 20'000 + i * 1000, i);
    if (i == 9) add({{"__name__", "m"}, {"pod", "gone"}}, now - 11'000, i);
    if (i == 10) checkpoint();
  }
  for (int where = 0; where < 3; ++where) {
    EXPECT_EQ(newest(now - 60'000, now), (SampleList{{now - 1000, bits(19)}, {now - 11'000, bits(9)}}));
    EXPECT_EQ(newest(now - 5000, now), (SampleList{{now - 1000, bits(19)}}));
    EXPECT_EQ(newest(now - 60'000, now - 5500), (SampleList{{now - 6000, bits(14)}, {now - 11'000, bits(9)}}));
    EXPECT_EQ(newest(now - 60'000, now - 12'500), (SampleList{{now - 13'000, bits(7)}}));
    EXPECT_TRUE(newest(now - 500, now).empty());
    if (where == 0) checkpoint();
    if (where == 1) reopen();
  }
}

TEST_F(ActivityTest, RetentionLeavesNothingOfWhatIsGone) {
  retention_ = 0;
  open();
  const TimestampMs now = now_ms();
  const TimestampMs old = now - 10 * kDay;
  const Metadata about{MetricType::counter, "about it", ""};
  for (const char* name : {"dead_total", "requests_total", "dead_bucket", "lives_bucket", "lives_sum"}) {
    for (int pod = 0; pod < 3; ++pod) add({{"__name__", name}, {"pod", "gone-" + std::to_string(pod)}}, old, 1);
  }
  add({{"__name__", "requests_total"}, {"only_dead", "gone"}}, old, 1);
  for (const char* name : {"requests_total", "lives_sum"}) {
    add({{"__name__", name}, {"pod", "here"}}, old, 1);
    add({{"__name__", name}, {"pod", "here"}}, now - kDay, 2);
  }
  add({{"__name__", "requests_total"}, {"pod", "in-head"}}, old, 1);
  for (const char* family : {"dead_total", "dead", "requests", "lives"}) {
    ASSERT_TRUE(store_->set_metadata(family, about).ok());
  }
  checkpoint();
  (void)store_->series({{"__name__", "never_sampled"}, {"pod", "gone-too"}});
  reopen();  // nothing is in the head now
  add({{"__name__", "requests_total"}, {"pod", "in-head"}}, now, 2);
  retention_ = 5 * kDay;
  checkpoint();
  reopen();
  ASSERT_TRUE(store_->apply_retention(now).ok());
  EXPECT_EQ(store_->label_names({}, 0, now, 0).value(), (std::vector<std::string>{"__name__", "pod"}));
  EXPECT_EQ(store_->label_values("pod", {}, 0, now, 0).value(), (std::vector<std::string>{"here", "in-head"}));
  EXPECT_EQ(store_->label_values("__name__", {}, 0, now, 0).value(),
            (std::vector<std::string>{"lives_sum", "requests_total"}));
  EXPECT_EQ(store_->metadata("", 0).value().size(), 2u) << "of requests and lives";

  pass_days(7);
  EXPECT_EQ(store_->label_names({}, 0, now, 0).value(), std::vector<std::string>{"__name__"});
  // Of `clock`, which pass_days made, there are two lists of activity, its name here and there, its hash and its
  // record.
  EXPECT_EQ(keys().size(), std::size_t{9});

  open();
  add({{"__name__", "requests_total"}, {"pod", "here"}}, now + 7 * kDay, 3);
  EXPECT_EQ(select_all(*store_, metric("requests_total")),
            (SeriesList{{"requests_total{pod=\"here\"}", {{now + 7 * kDay, bits(3)}}}}));
}

/// A series that is in the head but in no list of a day that stays is an orphan of a later day.
TEST_F(ActivityTest, WhatRetentionSparesForBeingInTheHeadGoesLater) {
  open();
  const TimestampMs now = now_ms();
  add({{"__name__", "m"}, {"pod", "a"}}, now - 4 * kDay, 1);
  add({{"__name__", "clock"}}, now, 1);
  checkpoint();
  retention_ = 2 * kDay;
  store_.reset();
  open();
  (void)store_->series({{"__name__", "m"}, {"pod", "a"}});  // back in the head, without a sample
  ASSERT_TRUE(store_->apply_retention(now).ok());
  pass_days(5);
  EXPECT_EQ(store_->label_values("__name__", {}, 0, now, 0).value(), std::vector<std::string>{"clock"});
}

}  // namespace
}  // namespace pipit
