// Queries that read much work on several threads: the answer is the same, bit for bit, and every end is clean.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <thread>

#include "query/engine.h"
#include "query/parser.h"
#include "query/query_context.h"
#include "query/selector.h"
#include "telemetry/metrics.h"
#include "tests/query/generated_source.h"

namespace pipit {
namespace {

constexpr DurationMs kInterval = 15'000;

Result<QueryResult> run(const GeneratedSource& source, const std::string& expr, unsigned threads, bool range = true,
                        const std::atomic<bool>* canceled = nullptr, DurationMs timeout = 0) {
  MetricsRegistry metrics;
  EngineOptions options;
  options.threads = threads;
  QueryRequest request;
  request.expr = expr;
  request.start = (range ? 60 : 390) * kInterval;
  request.end = 390 * kInterval;
  request.step = range ? 4 * kInterval : 0;
  request.canceled = canceled;
  request.timeout = timeout;
  return Engine(source, options, metrics).query(request);
}

/// All of an answer as text, values as bits.
std::string text_of(const QueryResult& result) {
  std::string text;
  for (const ResultSeries& series : result.series) {
    for (const LabelPair& pair : series.labels) {
      text += std::string(result.symbols->text(pair.name)) + "=" + std::string(result.symbols->text(pair.value)) + ",";
    }
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      text += " " + std::to_string(std::bit_cast<std::uint64_t>(series.values[i])) + "@" +
              std::to_string((*series.times)[i]);
    }
    text += "\n";
  }
  for (const std::string& info : result.infos) text += info + "\n";
  return text;
}

TEST(ParallelTest, TheAnswerDoesNotDependOnTheNumberOfThreads) {
  const GeneratedSource source(800, 400);
  for (const char* expr : {
           "m{}",
           "sum(m)",
           "avg by (instance) (m)",
           "stddev by (instance) (m)",
           "topk(3, m)",
           "sum by (instance) (rate(m[5m]))",
           "quantile by (instance) (0.7, increase(m[10m]))",
           "sum by (instance) (avg_over_time(m[20m])) / on (instance) group_right () max by (instance) (m)",
           "m > 39 or m < 1",
           "count_values('v', round(m))",
           "sum(m offset 5m) unless sum(m)",
       }) {
    for (const bool range : {true, false}) {
      const auto alone = run(source, expr, 1, range);
      ASSERT_TRUE(alone.ok()) << expr << ": " << alone.error().message;
      EXPECT_FALSE(alone->series.empty() && std::string(expr).find("unless") == std::string::npos) << expr;
      for (const unsigned threads : {2U, 4U}) {
        const auto together = run(source, expr, threads, range);
        ASSERT_TRUE(together.ok()) << expr << ": " << together.error().message;
        EXPECT_EQ(text_of(*together), text_of(*alone)) << expr << " on " << threads << " threads";
      }
    }
  }
}

TEST(ParallelTest, AFailureAmidASeriesEndsTheQueryWithItsError) {
  GeneratedSource source(800, 400);
  source.set_bad_series(700);
  for (const unsigned threads : {1U, 4U}) {
    const auto result = run(source, "sum(rate(m[5m]))", threads);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().message, "a bad series");
  }
}

TEST(ParallelTest, EndsWhenItIsCanceledOrLate) {
  const GeneratedSource source(200'000, 400);
  std::atomic<bool> canceled = false;
  std::thread canceler([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    canceled = true;
  });
  const auto ended = run(source, "sum(rate(m[5m]))", 4, true, &canceled);
  canceler.join();
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::canceled);
  const auto late = run(source, "sum(rate(m[5m]))", 4, true, nullptr, 20);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::timeout);
}

TEST(ParallelTest, ASlowSeriesEndsAtTheDeadline) {
  const GeneratedSource source(1, 1'000'000);
  for (const char* expr :
       {"mad_over_time(m[100d])", "double_exponential_smoothing(m[100d], 0.3, 0.3)", "increase(m[100d] anchored)",
        "changes(m[100d] anchored)", "mad_over_time(m[100d:15s]) > 1000"}) {
    MetricsRegistry metrics;
    QueryRequest request{.expr = expr, .start = 0, .end = 999'999 * kInterval, .step = 400 * kInterval};
    request.timeout = 50;
    const auto result = Engine(source, {}, metrics).query(request);
    ASSERT_FALSE(result.ok()) << expr;
    EXPECT_EQ(result.error().kind, ErrorKind::timeout) << expr;
  }
}

TEST(ParallelTest, AScanGivesItsHelpersBackWithItsLastRow) {
  const GeneratedSource source(800, 400);
  const QueryRequest request{.expr = "m", .start = 60 * kInterval, .end = 390 * kInterval, .step = kInterval};
  constexpr unsigned kHelpers = 3;
  ThreadBudget threads(kHelpers);
  QueryContext context(source, request, {}, QueryContext::Clock::time_point::max(), threads);
  const ExprPtr expr = parse_query(request.expr).value();
  const StepGrid grid{request.start, request.step, 331};
  RangeWindow lookback;
  lookback.range = 20 * kInterval;
  const auto scan = make_vector_selector(context, *expr->as<VectorSelector>(), grid, lookback, SelectorValue::sample);
  std::size_t rows = 0;
  for (Block block; scan->next(block);) rows += block.rows();
  EXPECT_EQ(rows, 800U);
  for (unsigned i = 0; i < kHelpers; ++i) EXPECT_TRUE(threads.take());
  EXPECT_FALSE(threads.take());
}

TEST(ParallelTest, ManyQueriesAtATimeShareTheHelpers) {
  const GeneratedSource source(800, 400);
  MetricsRegistry metrics;
  EngineOptions options;
  options.threads = 3;
  const Engine engine(source, options, metrics);
  const QueryRequest request{
      .expr = "sum by (instance) (rate(m[5m]))", .start = 60 * kInterval, .end = 390 * kInterval, .step = kInterval};
  const std::string expected = text_of(*engine.query(request));
  std::vector<std::thread> users;
  for (int i = 0; i < 6; ++i) {
    users.emplace_back([&] {
      const auto result = engine.query(request);
      EXPECT_TRUE(result.ok() && text_of(*result) == expected);
    });
  }
  for (auto& user : users) user.join();
}

}  // namespace
}  // namespace pipit
