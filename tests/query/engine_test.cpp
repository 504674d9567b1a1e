#include "query/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <condition_variable>
#include <map>
#include <thread>

#include "query/label_set.h"
#include "query/query_profile.h"
#include "telemetry/metrics.h"
#include "tests/query/generated_source.h"
#include "tests/storage/memory_store.h"

namespace pipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr DurationMs kSecond = 1000;
constexpr DurationMs kMinute = 60 * kSecond;

QueryRequest instant(std::string expr, TimestampMs time) {
  return {.expr = std::move(expr), .start = time, .end = time};
}

QueryRequest range(std::string expr, TimestampMs start, TimestampMs end, DurationMs step) {
  return {.expr = std::move(expr), .start = start, .end = end, .step = step};
}

class EngineTest : public testing::Test {
 protected:
  EngineTest() {
    for (int i = 0; i <= 10; ++i) {
      store_.add({{"__name__", "up"}, {"job", "a"}}, i * kMinute, i);
      store_.add({{"__name__", "up"}, {"job", "b"}}, i * kMinute, 2 * i);
    }
    store_.add({{"__name__", "short"}}, 2 * kMinute, 1);
  }

  Result<QueryResult> query(const QueryRequest& request, EngineOptions options = {}) {
    return Engine(store_, options, metrics_).query(request);
  }

  void expect_error(const QueryRequest& request, ErrorKind kind, const std::string& message,
                    EngineOptions options = {}) {
    auto result = query(request, options);
    ASSERT_FALSE(result.ok()) << request.expr;
    EXPECT_EQ(result.error().kind, kind) << request.expr;
    EXPECT_EQ(result.error().message, message) << request.expr;
  }

  MemoryStore store_;
  MetricsRegistry metrics_;
};

/// As Prometheus's `totalQueryableSamples`: what is computed once for several places or steps counts at each.
TEST_F(EngineTest, CountsTheSamplesThatStepsLookAt) {
  // Two series, a sample a minute from 0 to 10 minutes; four steps: 3, 5, 7 and 9 minutes.
  const std::vector<std::pair<std::string, std::uint64_t>> cases = {
      {"up", 2 * 4},
      {"up + up", 2 * 2 * 4},
      {"sum(up) / count(up)", 2 * 2 * 4},
      {"up offset 8m", 2},
      {"rate(up[3m])", 2 * 3 * 4},
      {"rate(up[3m]) / rate(up[3m])", 2 * 2 * 3 * 4},
      {"sum(up @ 300)", 2 * 4},
      {"max_over_time(up[3m] @ 300)", 2 * 3 * 4},
      {"max_over_time(rate(up[2m])[3m:1m])", 2 * 3 * 4},
      {"scalar(sum(up)) * up", 2 * 2 * 4},
      {"absent_over_time(up[3m])", 2 * 3 * 4},
      {"vector(time())", 0},
  };
  for (const auto& [expr, samples] : cases) {
    auto result = query(range(expr, 3 * kMinute, 9 * kMinute, 2 * kMinute));
    ASSERT_TRUE(result.ok()) << expr << ": " << result.error().message;
    EXPECT_EQ(result->stats.queryable_samples, samples) << expr;
  }
  EXPECT_EQ(query(instant("up[3m]", 5 * kMinute))->stats.queryable_samples, 6u);
}

TEST_F(EngineTest, AnAnswerMayTakeThePlaceOfAnother) {
  auto answer = query(range("up", 0, 10 * kMinute, kMinute));
  ASSERT_TRUE(answer.ok());
  QueryResult kept = std::move(*answer);
  auto next = query(instant("up{job='b'}", 3 * kMinute));
  ASSERT_TRUE(next.ok());
  kept = std::move(*next);
  ASSERT_EQ(kept.series.size(), 1u);
  EXPECT_THAT(kept.series[0].values, ElementsAre(6));
}

/// What slides over a range, or is found once for all its steps, is at each step what an instant query says.
TEST_F(EngineTest, RangesAreTheirInstants) {
  double counter = 0;
  for (int i = 0; i < 1200; ++i) {
    // Resets: seldom, then as often as several in a window, then none for long.
    if (i < 300 ? i % 97 == 96 : i < 600 && i % 5 == 4) counter = i % 2;
    counter += i % 13;
    if (i % 50 < 47) store_.add({{"__name__", "c"}, {"job", "a"}}, i * 15 * kSecond, counter);
    store_.add({{"__name__", "c"}, {"job", "b"}}, i * 15 * kSecond, i % 40 == 39 ? stale_nan() : counter / 7);
  }
  for (const char* expr :
       {"rate(c[1m])", "increase(c[20m])", "delta(c[2h])", "c", "timestamp(c)", "c offset 1m", "quantile(0.3, c)",
        "c / on (job) rate(c[5m])", "sum without (job) (c)", "quantile_over_time(0.7, c[10m])"}) {
    auto ranged = query(range(expr, 0, 1300 * 15 * kSecond, 35 * kSecond));
    ASSERT_TRUE(ranged.ok()) << ranged.error().message;
    std::map<std::pair<std::string, TimestampMs>, double> expected;
    for (TimestampMs t = 0; t <= 1300 * 15 * kSecond; t += 35 * kSecond) {
      auto point = query(instant(expr, t));
      ASSERT_TRUE(point.ok()) << point.error().message;
      for (const auto& series : point->series)
        expected[{labels_text(series.labels, *point->symbols), t}] = series.values[0];
    }
    ASSERT_GT(expected.size(), 400u) << expr;
    std::size_t points = 0;
    for (const auto& series : ranged->series) {
      for (std::size_t i = 0; i < series.values.size(); ++i, ++points) {
        const TimestampMs t = (*series.times)[i];
        const auto found = expected.find({labels_text(series.labels, *ranged->symbols), t});
        ASSERT_NE(found, expected.end()) << expr << " at " << t;
        // Sums that slide may differ in the last bit.
        EXPECT_NEAR(series.values[i], found->second, 1e-12 * std::abs(found->second)) << expr << " at " << t;
      }
    }
    EXPECT_EQ(points, expected.size()) << expr;
  }
}

TEST_F(EngineTest, AnswersHaveTheTypeOfTheExpression) {
  auto vector = query(instant("up{job='a'}", kMinute));
  ASSERT_TRUE(vector.ok());
  EXPECT_EQ(vector->type, ResultType::vector);
  EXPECT_THAT(*vector->series[0].times, ElementsAre(kMinute));
  EXPECT_THAT(vector->series[0].values, ElementsAre(1));

  auto matrix = query(instant("up{job='a'}[2m]", 2 * kMinute));
  ASSERT_TRUE(matrix.ok());
  EXPECT_EQ(matrix->type, ResultType::matrix);
  EXPECT_THAT(*matrix->series[0].times, ElementsAre(kMinute, 2 * kMinute));

  auto scalar = query(instant("1 + 1", kMinute));
  ASSERT_TRUE(scalar.ok());
  EXPECT_EQ(scalar->type, ResultType::scalar);
  EXPECT_THAT(scalar->series[0].values, ElementsAre(2));

  auto string = query(instant("'text'", kMinute));
  ASSERT_TRUE(string.ok());
  EXPECT_EQ(string->type, ResultType::string);
  EXPECT_EQ(string->text, "text");
  EXPECT_EQ(string->string_time, kMinute);
}

TEST_F(EngineTest, AScalarOverARangeIsOneSeriesWithoutLabels) {
  auto result = query(range("time()", 0, 20 * kSecond, 10 * kSecond));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->type, ResultType::matrix);
  ASSERT_EQ(result->series.size(), 1U);
  EXPECT_TRUE(result->series[0].labels.empty());
  EXPECT_THAT(result->series[0].values, ElementsAre(0, 10, 20));
}

TEST_F(EngineTest, SeriesWithAPointAtEveryStepShareTheirTimes) {
  auto result = query(range("up", 0, 10 * kMinute, kMinute));
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->series.size(), 2U);
  EXPECT_EQ(result->series[0].times, result->series[1].times);
}

TEST_F(EngineTest, ARangeIsSortedByLabelsAndHasNoEmptySeries) {
  auto result = query(range("label_replace(up, 'z', '$1', 'job', '(b)') or short > 2", 0, 10 * kMinute, kMinute));
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->series.size(), 2U);
  auto job = [&](std::size_t i) { return result->symbols->text(result->series[i].labels[1].value); };
  EXPECT_EQ(job(0), "a");
  EXPECT_EQ(job(1), "b");
}

TEST_F(EngineTest, RefusesWhatTooManyStepsWouldCost) {
  const std::string refused =
      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
  expect_error(range("up", 0, 10'000'000'000, 1000), ErrorKind::bad_data, refused);
  expect_error(range("up", kMinTimestamp, kMaxTimestamp, 1), ErrorKind::bad_data, refused);
  EXPECT_TRUE(query(range("up", 0, 11'000 * kSecond, kSecond)).ok());
  expect_error(range("up", kMinute, 0, kSecond), ErrorKind::bad_data, "end timestamp must not be before start time");
  const std::string too_many =
      "query processing would load too many samples into memory in query execution: more than ";
  expect_error(instant("sum_over_time(vector(1)[30y:1ms])", kMinute), ErrorKind::execution,
               too_many + "50000000 (--query.max-samples) for sum_over_time(vector(1)[30y:1ms])");
  expect_error(instant("sum_over_time(vector(1)[2d:1s])", kMinute), ErrorKind::execution,
               too_many + "100000 (--query.max-samples) for sum_over_time(vector(1)[2d:1s])", {.max_samples = 100'000});
}

TEST_F(EngineTest, RangeQueriesTakeScalarsAndVectorsOnly) {
  expect_error(range("up[5m]", 0, kMinute, kSecond), ErrorKind::bad_data,
               "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
  expect_error(range("'x'", 0, kMinute, kSecond), ErrorKind::bad_data,
               "invalid expression type \"string\" for range query, must be Scalar or instant Vector");
}

TEST_F(EngineTest, FunctionsOfNativeHistogramsGiveNothingForFloats) {
  auto nothing = query(instant("histogram_sum(up) or start_timestamp(up)", kMinute));
  ASSERT_TRUE(nothing.ok());
  EXPECT_TRUE(nothing->series.empty());
  EXPECT_EQ(query(instant("up +", kMinute)).error().kind, ErrorKind::bad_data);
}

TEST_F(EngineTest, FarAwayTimesAreHarmless) {
  for (const char* expr :
       {"up offset 1000000y", "up @ 1e15", "rate(up[290y])", "up offset -290y", "sum_over_time(up[290y:1y])",
        "sum_over_time(up[5m:1m] @ -1e15)", "info(up offset 1000000y)"}) {
    (void)query(instant(expr, kMinute)).ok();
    (void)query(instant(expr, kMaxTimestamp)).ok();
    (void)query(instant(expr, kMinTimestamp)).ok();
  }
  (void)query(range("up + range()", kMinTimestamp, kMaxTimestamp, kMaxTimestamp)).ok();
  (void)query(range("up", kMaxTimestamp - 10, kMaxTimestamp, 7)).ok();
}

TEST_F(EngineTest, DeepQueriesAreEvaluated) {
  std::string nested = "up";
  for (int i = 0; i < 120; ++i) nested = "sum by (job) (-(" + nested + "))";
  auto result = query(range(nested, 0, 10 * kMinute, kMinute));
  EXPECT_TRUE(result.ok()) << result.error().message;
}

TEST_F(EngineTest, SeriesStreamThroughAnAggregation) {
  GeneratedSource source(5'000, 60);
  Engine engine(source, {.max_samples = 1'000}, metrics_);
  auto sum = engine.query(range("sum(rate(m[2m]))", 0, 10 * kMinute, kMinute));
  ASSERT_TRUE(sum.ok()) << sum.error().message;
  EXPECT_EQ(sum->series.size(), 1U);
  for (const char* holds_all : {"m", "quantile(0.5, m)", "m / m", "sort(m)", "m[5m]"}) {
    auto result = engine.query(instant(holds_all, 5 * kMinute));
    ASSERT_FALSE(result.ok()) << holds_all;
    EXPECT_THAT(result.error().message, HasSubstr("too many samples"));
  }
}

TEST_F(EngineTest, ACanceledQueryEnds) {
  std::atomic<bool> canceled = true;
  auto request = instant("sum(up)", kMinute);
  request.canceled = &canceled;
  expect_error(request, ErrorKind::canceled, "query was canceled in expression evaluation");
}

/// Its reader goes away when the last series has been read.
class ImpatientSource : public GeneratedSource {
 public:
  explicit ImpatientSource(std::atomic<bool>& canceled) : GeneratedSource(kSeries, 10), canceled_(canceled) {}
  Result<std::unique_ptr<SharedSelection>> select_shared(const SelectRequest&, SymbolTable&) const override {
    return std::unique_ptr<SharedSelection>();
  }
  Result<std::unique_ptr<SeriesCursor>> select(const SelectRequest& request, SymbolTable& symbols) const override {
    auto series = GeneratedSource::select(request, symbols);
    if (!series.ok()) return series.error();
    return std::unique_ptr<SeriesCursor>(std::make_unique<Cursor>(std::move(*series), canceled_));
  }

 private:
  static constexpr std::size_t kSeries = 20;
  class Cursor : public SeriesCursor {
   public:
    Cursor(std::unique_ptr<SeriesCursor> series, std::atomic<bool>& canceled)
        : series_(std::move(series)), canceled_(canceled) {}
    Result<bool> next() override {
      auto more = series_->next();
      if (more.ok() && !*more) canceled_ = true;
      return more;
    }
    const LabelSet& labels() const override { return series_->labels(); }
    std::span<const TimestampMs> times() const override { return series_->times(); }
    std::span<const double> values() const override { return series_->values(); }

   private:
    std::unique_ptr<SeriesCursor> series_;
    std::atomic<bool>& canceled_;
  };
  std::atomic<bool>& canceled_;
};

TEST_F(EngineTest, ACanceledQueryEndsAfterItsLastSeriesToo) {
  for (const char* expr : {"m", "sort(m)", "quantile(0.5, m)", "topk(3, m)", "sum by (host) (m)", "m + m{host!=''}",
                           "histogram_quantile(0.5, label_replace(m, 'le', '1', '', ''))"}) {
    for (const auto& request : {instant(expr, kMinute), range(expr, 0, kMinute, kSecond)}) {
      std::atomic<bool> canceled = false;
      ImpatientSource source(canceled);
      auto watched = request;
      watched.canceled = &canceled;
      auto result = Engine(source, {}, metrics_).query(watched);
      ASSERT_FALSE(result.ok()) << expr;
      EXPECT_EQ(result.error().message, "query was canceled in expression evaluation") << expr;
    }
  }
}

TEST_F(EngineTest, AQueryThatTakesTooLongEnds) {
  GeneratedSource source(1'000'000, 100);
  Engine engine(source, {.timeout = 20}, metrics_);
  auto result = engine.query(range("sum(rate(m[5m]))", 0, 60 * kMinute, kMinute));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::timeout);
  EXPECT_EQ(result.error().message,
            "query timed out in expression evaluation: --query.timeout or the request's timeout is over for "
            "sum(rate(m[5m]))");
}

/// Holds every query until it is told to go on.
class BlockingSource : public GeneratedSource {
 public:
  BlockingSource() : GeneratedSource(1, 1) {}
  Result<std::unique_ptr<SharedSelection>> select_shared(const SelectRequest& request,
                                                         SymbolTable& symbols) const override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return GeneratedSource::select_shared(request, symbols);
  }
  void wait_for_query() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable int waiting_ = 0;
  bool open_ = false;
};

TEST_F(EngineTest, QueriesWaitForTheirTurnButNotForEver) {
  BlockingSource source;
  Engine engine(source, {.max_concurrency = 1}, metrics_);
  std::thread first([&] { EXPECT_TRUE(engine.query(instant("m", 0)).ok()); });
  source.wait_for_query();
  EXPECT_THAT(metrics_.render(), HasSubstr("pipit_engine_queries 1"));

  auto request = instant("m", 0);
  request.timeout = 1;
  auto timed_out = engine.query(request);
  ASSERT_FALSE(timed_out.ok());
  EXPECT_EQ(timed_out.error().message,
            "query timed out in query queue: as many queries as --query.max-concurrency allows, 1, were running");

  std::atomic<bool> canceled = true;
  request.timeout = 0;
  request.canceled = &canceled;
  auto gone = engine.query(request);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().message, "query was canceled in query queue");

  source.open();
  first.join();
  EXPECT_TRUE(engine.query(instant("m", 0)).ok());
  auto page = metrics_.render();
  EXPECT_THAT(page, HasSubstr("pipit_engine_queries 0"));
  EXPECT_THAT(page, HasSubstr("pipit_engine_queries_total{result=\"success\"} 2"));
  EXPECT_THAT(page, HasSubstr("pipit_engine_queries_total{result=\"timeout\"} 1"));
  EXPECT_THAT(page, HasSubstr("pipit_engine_queries_total{result=\"canceled\"} 1"));
}

TEST_F(EngineTest, SaysWhatAQueryCost) {
  auto result = query(range("sum by (job) (up)", 0, 10 * kMinute, kMinute));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->stats.samples_read, 22U);
  EXPECT_GT(result->stats.peak_samples, 0U);
  EXPECT_GE(result->stats.total, result->stats.evaluate);
  EXPECT_GE(result->stats.evaluate, result->stats.prepare);
  EXPECT_FALSE(result->plan);
}

/// `text(series,samples)[inputs]`
std::string text_of(const PlanNode& node) {
  std::string text = node.text + " " + std::to_string(node.series) + "/" + std::to_string(node.samples);
  for (const auto& input : node.inputs) text += " [" + text_of(*input) + "]";
  return text;
}

TEST_F(EngineTest, ExplainsAPlanByWhatItDid) {
  const struct {
    const char* expr;
    const char* plan;
  } cases[] = {
      {"up", "up 2/22"},
      {"sum by (job) (up)", "sum by (job) 2/22 [up 2/22]"},
      {"sum(up)", "sum 1/11 [up 2/22]"},
      {"(rate(up[2m]) > 0) * on (job) up", "* on (job) 2/20 [> 2/20 [rate(up[2m]) 2/20]] [up 2/22]"},
      {"topk(1, -up)", "topk (1, ...) 1/11 [- 2/22 [up 2/22]]"},
      {"max_over_time(up[2m:1m])", "max_over_time(...) 2/22 [[2m:1m] 2/22 [up 2/22]]"},
      {"up @ 60", "the same at every step 2/22 [up @ 60.000 2/2]"},
      {"up * scalar(short)", "* 2/22 [up 2/22] [scalar(...) 1/11 [short 1/5]]"},
      {"label_replace(up, \"x\", \"$1\", \"job\", \"(.*)\")",
       "label_replace(..., \"x\", \"$1\", \"job\", \"(.*)\") 2/22 [up 2/22]"},
      {"scalar(short) + scalar(short)", "scalar 0/0 [scalar(...) 1/11 [short 1/5]] [scalar(...) (as above) 1/11]"},
  };
  for (const auto& c : cases) {
    auto request = range(c.expr, 0, 10 * kMinute, kMinute);
    request.explain = true;
    auto result = query(request);
    ASSERT_TRUE(result.ok()) << c.expr << ": " << result.error().message;
    ASSERT_TRUE(result->plan) << c.expr;
    EXPECT_EQ(text_of(*result->plan), c.plan) << c.expr;
    EXPECT_EQ(result->plan->samples_read, result->stats.samples_read) << c.expr;
  }
  auto number = range("1 + 1", 0, kMinute, kMinute);
  number.explain = true;
  EXPECT_FALSE(query(number)->plan);
}

TEST_F(EngineTest, TheStoresErrorsReachTheCaller) {
  class FailingSource : public GeneratedSource {
   public:
    FailingSource() : GeneratedSource(1, 1) {}
    Result<std::unique_ptr<SharedSelection>> select_shared(const SelectRequest&, SymbolTable&) const override {
      return internal_error("disk on fire");
    }
  } source;
  auto result = Engine(source, {}, metrics_).query(instant("sum(m) + 1", 0));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message, "disk on fire");
}

}  // namespace
}  // namespace pipit
