// The out-of-order window: what is stored, what is refused, and that it is there wherever it lies.

#include "storage/late_samples.h"

#include <algorithm>
#include <map>
#include <random>

#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kHour = 3'600'000;
constexpr TimestampMs kStart = 1'700'006'400'000;  // the beginning of a day
const Labels kUp{{"__name__", "up"}};

SampleList samples_of(const LateSamples& late, TimestampMs min_time, TimestampMs max_time) {
  TimeColumn times;
  ValueColumn values;
  late.copy_to(min_time, max_time, times, values);
  SampleList list;
  for (std::size_t i = 0; i < times.size(); ++i) list.emplace_back(times[i], bits(values[i]));
  return list;
}

TEST(LateSamples, AreSortedInWhateverOrderTheyCame) {
  std::mt19937 random(4);
  for (const int spread : {10, 3000, 1'000'000}) {
    LateSamples late;
    std::map<TimestampMs, double> expected;
    for (int i = 0; i < 6000; ++i) {
      const auto time = static_cast<TimestampMs>(random() % static_cast<unsigned>(spread));
      const double value = random() % 2;
      const auto [at, is_new] = expected.try_emplace(time, value);
      using enum LateSamples::Outcome;
      ASSERT_EQ(late.add(time, value), is_new ? stored : at->second == value ? repeated : duplicate) << time;
    }
    SampleList all;
    SampleList some;
    for (const auto& [time, value] : expected) {
      all.emplace_back(time, bits(value));
      if (time >= spread / 4 && time <= spread / 2) some.push_back(all.back());
    }
    EXPECT_EQ(samples_of(late, kMinTimestamp, kMaxTimestamp), all);
    EXPECT_EQ(samples_of(late, spread / 4, spread / 2), some);
    EXPECT_EQ(late.first_time(), all.front().first);
    EXPECT_EQ(late.last_time(), all.back().first);
  }
}

/// What would take minutes if each sample moved all that came before.
TEST(LateSamples, ManyThatComeNewestFirstCostAsMuchAsInOrder) {
  constexpr TimestampMs kSamples = 400'000;
  LateSamples newest_first;
  LateSamples in_order;
  LateSamples before_a_full_block;
  for (TimestampMs i = 0; i < 600; ++i) before_a_full_block.add(i, 0);
  for (TimestampMs i = 1; i <= kSamples; ++i) {
    newest_first.add(kSamples - i, 0);
    in_order.add(i, 0);
    before_a_full_block.add(1000 + kSamples - i, 0);
  }
  EXPECT_EQ(samples_of(newest_first, kMinTimestamp, kMaxTimestamp).size(), kSamples);
  for (const LateSamples* late : {&newest_first, &in_order, &before_a_full_block}) {
    EXPECT_LT(late->bytes(), 18u * kSamples) << "sixteen and a little";
  }
}

class LateSamplesTest : public StoreTest {
 protected:
  void SetUp() override {
    open();
    store_->set_out_of_order_window(2 * kHour);
  }
  SampleList samples() { return select_all(*store_, {Matcher::equal("__name__", "up")}).at("up"); }
};

TEST_F(LateSamplesTest, AreInTheirPlaceInRamOnDiskAndAfterARestart) {
  SampleList expected;
  for (int i = 0; i < 100; ++i) {
    expected.emplace_back(kStart + i * 60'000, bits(i));
    if (i % 10 == 5) continue;
    EXPECT_EQ(add(kUp, kStart + i * 60'000, i).stored, 1u);
  }
  for (int i = 95; i >= 5; i -= 10) EXPECT_EQ(add(kUp, kStart + i * 60'000, i).stored, 1u) << i;
  EXPECT_EQ(samples(), expected);
  EXPECT_EQ(select_all(*store_, {}, kStart + 300'000, kStart + 300'000).at("up").size(), 1u);
  checkpoint();
  EXPECT_EQ(samples(), expected);
  EXPECT_EQ(select_all(*store_, {}, kStart + 300'000, kStart + 300'000).at("up").size(), 1u);
  reopen();
  EXPECT_EQ(samples(), expected);
}

TEST_F(LateSamplesTest, AreRefusedBeyondTheWindow) {
  EXPECT_EQ(add({{"__name__", "clock"}}, kStart + 10 * kHour, 1).stored, 1u);
  EXPECT_EQ(add(kUp, kStart + 9 * kHour, 1).stored, 1u);
  EXPECT_EQ(add(kUp, kStart + 8 * kHour, 1).stored, 1u) << "the window counts from the newest sample of all series";
  EXPECT_EQ(add(kUp, kStart + 8 * kHour - 1, 1).too_old, 1u);
  store_->set_out_of_order_window(0);
  EXPECT_EQ(add(kUp, kStart + 8 * kHour + 1, 1).out_of_order, 1u);
}

TEST_F(LateSamplesTest, TwiceIsOnce) {
  EXPECT_EQ(add(kUp, kStart + 2000, 2).stored, 1u);
  EXPECT_EQ(add(kUp, kStart + 1000, 1).stored, 1u);
  EXPECT_EQ(add(kUp, kStart + 1000, 1).stored, 1u);
  EXPECT_EQ(add(kUp, kStart + 1000, 7).duplicates, 1u);
  EXPECT_EQ(samples(), (SampleList{{kStart + 1000, bits(1)}, {kStart + 2000, bits(2)}}));
}

/// Each round's late samples start where those of the round before did, so their chunks have the same start.
TEST_F(LateSamplesTest, NoChunkTakesTheOthersPlace) {
  SampleList expected;
  add(kUp, kStart + 90'000, 90);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 5; ++i) {
      const int second = i == 0 ? 0 : 5 * i + round;
      EXPECT_EQ(add(kUp, kStart + second * 1000, second).stored, 1u);
      if (i != 0 || round == 0) expected.emplace_back(kStart + second * 1000, bits(second));
    }
    round % 2 == 0 ? checkpoint() : reopen();
    store_->set_out_of_order_window(2 * kHour);
  }
  expected.emplace_back(kStart + 90'000, bits(90));
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(samples(), expected);
}

TEST_F(LateSamplesTest, OfTwoDaysGoToTwoDays) {
  const TimestampMs midnight = kStart + 24 * kHour;
  add(kUp, midnight + 60'000, 3);
  for (const TimestampMs time : {midnight - 1000, midnight, midnight + 1000}) add(kUp, time, 1);
  checkpoint();
  EXPECT_EQ(
      samples(),
      (SampleList{
          {midnight - 1000, bits(1)}, {midnight, bits(1)}, {midnight + 1000, bits(1)}, {midnight + 60'000, bits(3)}}));
  EXPECT_EQ(select_all(*store_, {}, midnight - 5000, midnight - 1).at("up").size(), 1u);
}

TEST_F(LateSamplesTest, InAnyOrderWithinABatch) {
  const SeriesRef ref = store_->series(kUp).value();
  const TimeColumn times{kStart + 3000, kStart + 1000, kStart + 2000, kStart + 4000};
  const ValueColumn values{3, 1, 2, 4};
  const std::vector<SeriesRef> refs(4, ref);
  EXPECT_EQ(store_->append({refs, values, times}).value().stored, 4u);
  EXPECT_EQ(
      samples(),
      (SampleList{
          {kStart + 1000, bits(1)}, {kStart + 2000, bits(2)}, {kStart + 3000, bits(3)}, {kStart + 4000, bits(4)}}));
}

/// A series that comes back knows its newest sample, not the start of its newest chunk, which may be of late ones.
TEST_F(LateSamplesTest, DoNotHideTheNewestSampleOfAnEarlierRun) {
  add(kUp, kStart, 0);
  add(kUp, kStart + 9000, 9);
  add(kUp, kStart + 5000, 5);
  reopen();
  EXPECT_EQ(add(kUp, kStart + 8000, 8).out_of_order, 1u) << "there is no window after the restart";
  EXPECT_EQ(samples().size(), 3u);
}

}  // namespace
}  // namespace pipit
