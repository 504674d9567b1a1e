// A selection that several threads read gives what a cursor gives.

#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

constexpr TimestampMs kStart = 1'700'000'000'000;
constexpr DurationMs kStep = 15'000;
constexpr int kSeries = 60;
constexpr int kSamples = 200;

class SharedSelectionTest : public StoreTest {
 protected:
  /// Half of the samples on disk, half in RAM; every seventh series ends early.
  void SetUp() override {
    open();
    std::vector<SeriesRef> refs;
    for (int i = 0; i < kSeries; ++i) refs.push_back(store_->series(labels_of(i)).value());
    for (int s = 0; s < kSamples; ++s) {
      for (int i = 0; i < kSeries; ++i) {
        if (i % 7 == 0 && s > 50) continue;
        const auto ref = refs[static_cast<std::size_t>(i)];
        const TimestampMs time = kStart + s * kStep;
        const double value = std::sin(s * 0.1 + i);
        ASSERT_TRUE(store_->append({{&ref, 1}, {&value, 1}, {&time, 1}}).ok());
      }
      if (s == kSamples / 2) checkpoint();
    }
  }
  static Labels labels_of(int i) { return {{"__name__", "m" + std::to_string(i % 3)}, {"n", std::to_string(i)}}; }
};

/// What readers on so many threads find, and in which order of batches.
SeriesList read_on_threads(const Store& store, const SelectRequest& request, int threads, std::size_t batch) {
  SymbolTable symbols;
  auto selection = store.select_shared(request, symbols);
  EXPECT_TRUE(selection.ok() && *selection);
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, SampleList>> found;
  const auto read = [&] {
    const auto reader = (*selection)->reader();
    for (;;) {
      {
        std::lock_guard lock(mutex);
        const auto taken = reader->take(batch);
        ASSERT_TRUE(taken.ok());
        EXPECT_LE(*taken, batch);
        if (*taken == 0) return;
      }
      for (;;) {
        const auto more = reader->next();
        ASSERT_TRUE(more.ok());
        if (!*more) break;
        SampleList samples;
        for (std::size_t s = 0; s < reader->times().size(); ++s) {
          samples.emplace_back(reader->times()[s], bits(reader->values()[s]));
        }
        std::lock_guard lock(mutex);
        found.emplace_back(reader->series(), std::move(samples));
      }
    }
  };
  std::vector<std::thread> helpers;
  for (int i = 1; i < threads; ++i) helpers.emplace_back(read);
  read();
  for (auto& helper : helpers) helper.join();
  SeriesList all;
  LabelSet labels;
  for (auto& [series, samples] : found) {
    const auto known = (*selection)->labels(series, labels);
    EXPECT_TRUE(known.ok() && *known);
    std::vector<Label> texts;
    for (const LabelPair& pair : labels) {
      texts.push_back({std::string(symbols.text(pair.name)), std::string(symbols.text(pair.value))});
    }
    EXPECT_TRUE(all.emplace(Labels(texts).to_string(), std::move(samples)).second) << "a series came twice";
  }
  return all;
}

TEST_F(SharedSelectionTest, ReadersTogetherFindWhatACursorFinds) {
  const std::vector<std::vector<Matcher>> selections = {
      metric("m1"), {match(MatchType::regex, "__name__", "m.*")}, {match(MatchType::not_equal, "n", "5")}, metric("x")};
  for (const auto& matchers : selections) {
    for (const TimestampMs from : {kStart, kStart + 120 * kStep, kStart + kSamples * kStep}) {
      const SelectRequest request{.matchers = matchers, .min_time = from, .max_time = kStart + 180 * kStep};
      const SeriesList expected = select_all(*store_, matchers, from, kStart + 180 * kStep);
      for (const int threads : {1, 3}) {
        for (const std::size_t batch : {1, 7, 1000}) {
          EXPECT_EQ(read_on_threads(*store_, request, threads, batch), expected) << threads << " threads, " << batch;
        }
      }
    }
  }
}

TEST_F(SharedSelectionTest, OfTheNewestSamplesAndOfWhatIsDeletedToo) {
  ASSERT_TRUE(store_->delete_series({{metric("m2")}}, kStart, kStart + 199 * kStep).ok());
  const auto matchers = std::vector<Matcher>{match(MatchType::regex, "__name__", "m.*")};
  const SelectRequest request{
      .matchers = matchers, .min_time = kStart, .max_time = kStart + 190 * kStep, .newest_only = true};
  const SeriesList newest = read_on_threads(*store_, request, 3, 4);
  EXPECT_EQ(newest.size(), 40U);
  for (const auto& [labels, samples] : newest) {
    const SampleList all = select_all(*store_, matchers, kStart, kStart + 190 * kStep)[labels];
    EXPECT_EQ(samples.back(), all.back()) << labels;
  }
}

TEST_F(SharedSelectionTest, WithoutValuesTheSamplesAreThere) {
  const auto matchers = std::vector<Matcher>{match(MatchType::regex, "__name__", "m.*")};
  for (const int until : {10, 55, 99, 150, 199}) {
    const SelectRequest request{.matchers = matchers,
                                .min_time = kStart + (until - 20) * kStep,
                                .max_time = kStart + until * kStep - 1,
                                .newest_only = true,
                                .values = false};
    const SeriesList some = read_on_threads(*store_, request, 2, 5);
    const SeriesList all = select_all(*store_, matchers, request.min_time, request.max_time);
    ASSERT_EQ(some.size(), all.size()) << until;
    for (const auto& [labels, samples] : some) EXPECT_EQ(samples.back().first, all.at(labels).back().first) << labels;
  }
}

TEST_F(SharedSelectionTest, TheNameAloneTakesNoOtherLabel) {
  SymbolTable symbols;
  const auto matchers = metric("m1");
  const SelectRequest request{.matchers = matchers, .name_only = true};
  auto selection = store_->select_shared(request, symbols);
  ASSERT_TRUE(selection.ok());
  const auto reader = (*selection)->reader();
  ASSERT_EQ(reader->take(3).value(), 3U);
  ASSERT_TRUE(reader->next().value());
  LabelSet labels;
  ASSERT_TRUE((*selection)->labels(reader->series(), labels).value());
  ASSERT_EQ(labels.size(), 1U);
  EXPECT_EQ(symbols.text(labels[0].name), "__name__");
  EXPECT_EQ(symbols.text(labels[0].value), "m1");
}

TEST_F(SharedSelectionTest, StopsWhenItIsCanceled) {
  std::atomic<bool> canceled = false;
  SymbolTable symbols;
  const auto matchers = metric("m1");
  auto selection = store_->select_shared({.matchers = matchers, .canceled = &canceled}, symbols);
  ASSERT_TRUE(selection.ok());
  const auto reader = (*selection)->reader();
  ASSERT_TRUE(reader->take(10).ok());
  canceled = true;
  const auto more = reader->next();
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().kind, ErrorKind::canceled);
}

}  // namespace
}  // namespace pipit
