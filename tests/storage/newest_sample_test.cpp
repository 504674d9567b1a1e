// A cursor that is asked for the newest sample of each series gives what the whole range ends with, wherever it lies.

#include <random>

#include "model/duration.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr DurationMs kHour = 3'600'000;
constexpr DurationMs kDay = 24 * kHour;
constexpr TimestampMs kStart = 19'700 * kDay;

class NewestSampleTest : public StoreTest {
 protected:
  void SetUp() override { open(); }

  SeriesList newest(TimestampMs from, TimestampMs to) {
    SymbolTable symbols;
    const std::vector<Matcher> all = metric("m");
    SelectRequest request{all, from, to, nullptr};
    request.newest_only = true;
    auto cursor = store_->select(request, symbols).value();
    SeriesList found;
    while (cursor->next().value()) {
      std::vector<Label> labels;
      for (const LabelPair& pair : cursor->labels()) {
        labels.push_back({std::string(symbols.text(pair.name)), std::string(symbols.text(pair.value))});
      }
      found[Labels(labels).to_string()] = {{cursor->times().back(), bits(cursor->values().back())}};
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

  std::mt19937_64 random_{5};
};

TEST_F(NewestSampleTest, IsWhatAllSamplesEndWith) {
  store_->set_out_of_order_window(6 * kHour);
  TimestampMs time = kStart;
  std::size_t found = 0;
  for (int round = 0; round < 60; ++round) {
    for (int scrape = any(120); scrape > 0; --scrape) {
      time += any(10) == 0 ? any(static_cast<int>(kHour)) : 60'000;
      for (int i = 0; i < 12; ++i) {
        if (any(20) == 0) continue;
        const Labels labels{{"__name__", "m"}, {"n", std::to_string(i)}};
        const bool late = i < 4 && any(10) == 0;
        add(labels, late ? time - 1 - any(static_cast<int>(5 * kHour)) : time, any_value(i));
      }
    }
    const Matcher one = Matcher::equal("n", std::to_string(any(6)));
    const std::vector<std::vector<Matcher>> one_series{{one}};
    const TimestampMs deleted_from = time - any(static_cast<int>(kDay));
    switch (any(9)) {
      case 0:
      case 1:
      case 2:
        checkpoint();
        break;
      case 3:
      case 4:  // all days but the head's are closed
        expect_ok(store_->merge_closed_days(time + 100 * kDay));
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
    for (int question = 0; question < 12; ++question) {
      const TimestampMs to = question == 0 ? time : time + kHour - any(static_cast<int>(time + 2 * kHour - kStart));
      const TimestampMs from = to - (any(4) == 0 ? any(20) * kDay : 300'000);
      const SeriesList expected = ends_of_all(from, to);
      found += expected.size();
      ASSERT_EQ(newest(from, to), expected) << "round " << round << ", from " << from << " to " << to;
    }
  }
  EXPECT_GT(found, 3000u);
}

}  // namespace
}  // namespace pipit
