// A cursor that is asked for less than all samples of a range gives what was asked for, wherever it lies: the newest
// sample of each series, or the extremes of windows.

#include <algorithm>
#include <random>

#include "model/duration.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kHour = 3'600'000;
constexpr DurationMs kDay = 24 * kHour;
constexpr TimestampMs kStart = 19'700 * kDay;

class NarrowedSelectTest : public StoreTest {
 protected:
  void SetUp() override { open(); }

  static SelectRequest range(TimestampMs from, TimestampMs to) {
    SelectRequest request;
    request.min_time = from;
    request.max_time = to;
    return request;
  }
  SeriesList newest(TimestampMs from, TimestampMs to) {
    SelectRequest request = range(from, to);
    request.newest_only = true;
    SeriesList found = select(request);
    for (auto& [labels, samples] : found) samples = {samples.back()};
    return found;
  }
  SeriesList select(SelectRequest request) {
    SymbolTable symbols;
    const std::vector<Matcher> all = metric("m");
    request.matchers = all;
    auto cursor = store_->select(request, symbols).value();
    SeriesList found;
    while (cursor->next().value()) {
      std::vector<Label> labels;
      for (const LabelPair& pair : cursor->labels()) {
        labels.push_back({std::string(symbols.text(pair.name)), std::string(symbols.text(pair.value))});
      }
      SampleList& samples = found[Labels(labels).to_string()];
      for (std::size_t i = 0; i < cursor->times().size(); ++i) {
        samples.emplace_back(cursor->times()[i], bits(cursor->values()[i]));
      }
    }
    return found;
  }
  SeriesList ends_of_all(TimestampMs from, TimestampMs to) {
    SeriesList found = select_all(*store_, metric("m"), from, to);
    for (auto& [labels, samples] : found) samples = {samples.back()};
    return found;
  }
  double any_value(int kind) {
    const auto noise = static_cast<double>(random_() % 1000);
    switch (kind % 6) {
      case 0:
        return 7;
      case 1:
        return noise / 100;
      case 2:
        return std::bit_cast<double>(random_());
      case 3:
        return random_() % 10 == 0 ? stale_nan() : 4096 * noise;
      case 4:
        return noise / 7;
      default:
        return random_() % 8 == 0 ? noise : 3;
    }
  }
  int any(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  void expect_ok(const Status& status) { ASSERT_TRUE(status.ok()) << status.error().message; }

  /// Two hours or so of samples, some late, and something that happens to them.
  void live(int round) {
    for (int scrape = any(120); scrape > 0; --scrape) {
      time_ += any(10) == 0 ? any(static_cast<int>(kHour)) : 60'000;
      for (int i = 0; i < 12; ++i) {
        if (any(20) == 0) continue;
        const Labels labels{{"__name__", "m"}, {"n", std::to_string(i)}};
        const bool late = i < 4 && any(10) == 0;
        // Some late ones have the time of a sample that is there, which stays.
        const DurationMs lateness = any(2) == 0 ? 60'000 * (1 + any(300)) : 1 + any(static_cast<int>(5 * kHour));
        add(labels, late ? time_ - lateness : time_, any_value(i));
      }
    }
    const Matcher one = Matcher::equal("n", std::to_string(any(6)));
    const std::vector<std::vector<Matcher>> one_series{{one}};
    const TimestampMs deleted_from = time_ - any(static_cast<int>(kDay));
    switch (any(9)) {
      case 0:
      case 1:
      case 2:
        checkpoint();
        break;
      case 3:
      case 4:  // all days but the head's are closed
        expect_ok(store_->merge_closed_days(time_ + 100 * kDay));
        break;
      case 5:
        reopen();
        store_->set_out_of_order_window(6 * kHour);
        break;
      case 6:
        if (round > 20)
          expect_ok(store_->delete_series(one_series, deleted_from, deleted_from + any(static_cast<int>(kHour))));
        break;
      case 7:
        if (round > 40) expect_ok(store_->clean_tombstones());
        break;
      default:
        break;
    }
  }

  std::mt19937_64 random_{5};
  TimestampMs time_ = kStart;
};

TEST_F(NarrowedSelectTest, TheNewestIsWhatAllSamplesEndWith) {
  store_->set_out_of_order_window(6 * kHour);
  std::size_t found = 0;
  for (int round = 0; round < 60; ++round) {
    live(round);
    for (int question = 0; question < 12; ++question) {
      const TimestampMs to = question == 0 ? time_ : time_ + kHour - any(static_cast<int>(time_ + 2 * kHour - kStart));
      const TimestampMs from = to - (any(4) == 0 ? any(20) * kDay : 300'000);
      const SeriesList expected = ends_of_all(from, to);
      found += expected.size();
      ASSERT_EQ(newest(from, to), expected) << "round " << round << ", from " << from << " to " << to;
    }
  }
  EXPECT_GT(found, 3000u);
}

/// As PromQL has it: a number is preferred to NaN, and stale markers don't count.
std::vector<std::string> extremes(const SampleList& samples, const ExtremeWindows& windows) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < windows.count; ++i) {
    const TimestampMs end = windows.first_end + static_cast<DurationMs>(i) * windows.step;
    std::optional<double> extreme;
    for (const auto& [time, value_bits] : samples) {
      const double value = std::bit_cast<double>(value_bits);
      if (time <= end - windows.range || time > end || is_stale_nan(value)) continue;
      const bool better = extreme && (windows.greatest ? value > *extreme : value < *extreme);
      if (!extreme || better || *extreme != *extreme) extreme = value;
    }
    found.push_back(extreme ? std::to_string(bits(*extreme)) : "none");
  }
  return found;
}

TEST_F(NarrowedSelectTest, ExtremesAreThoseOfAllSamples) {
  store_->set_out_of_order_window(6 * kHour);
  std::size_t read = 0;
  std::size_t all_read = 0;
  for (int round = 0; round < 60; ++round) {
    live(round);
    for (int question = 0; question < 12; ++question) {
      ExtremeWindows windows;
      windows.greatest = any(2) == 0;
      windows.count = any(3) == 0 ? 1 : 1 + static_cast<std::size_t>(any(5));
      windows.step = 1 + any(static_cast<int>(any(2) == 0 ? kHour : 3 * kDay / 2));
      windows.range = 1 + (any(3) == 0 ? any(static_cast<int>(kHour)) : any(static_cast<int>(6 * kDay)));
      windows.first_end = any(3) == 0 ? time_ : time_ + kHour - any(static_cast<int>(time_ + 2 * kHour - kStart));
      SelectRequest request = range(windows.first_end - windows.range + 1,
                                    windows.first_end + static_cast<DurationMs>(windows.count - 1) * windows.step);
      const SeriesList all = select(request);
      request.extreme = windows;
      const SeriesList narrowed = select(request);
      ASSERT_EQ(narrowed.size(), all.size());
      for (const auto& [labels, samples] : all) {
        const SampleList& fewer = narrowed.at(labels);
        ASSERT_EQ(extremes(fewer, windows), extremes(samples, windows)) << labels << ", round " << round;
        read += fewer.size();
        all_read += samples.size();
      }
    }
  }
  EXPECT_LT(read, all_read / 10 * 9) << "of " << all_read;
}

}  // namespace
}  // namespace pipit
