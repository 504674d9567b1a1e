#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "query/engine.h"
#include "query/query_profile.h"
#include "telemetry/metrics.h"
#include "tests/query/generated_source.h"

namespace pipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t kSeries = 50;
constexpr DurationMs kMinute = 60'000;

QueryRequest hour(const std::string& expr) {
  return {.expr = expr, .start = 60 * kMinute, .end = 120 * kMinute, .step = kMinute};
}
QueryRequest now(const std::string& expr) { return {.expr = expr, .start = 60 * kMinute, .end = 60 * kMinute}; }

/// Every point, to the last bit.
std::string text_of(const QueryResult& result) {
  std::string text;
  for (const auto& series : result.series) {
    for (const auto& label : series.labels) {
      text.append(result.symbols->text(label.name)).append("=").append(result.symbols->text(label.value)).append(" ");
    }
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      char point[64];
      std::snprintf(point, sizeof point, "%lld:%a ", static_cast<long long>((*series.times)[i]), series.values[i]);
      text += point;
    }
    text += "\n";
  }
  return text;
}

class SharingTest : public testing::Test {
 protected:
  QueryResult answer(const QueryRequest& request, EngineOptions options = {}) {
    auto result = Engine(source_, options, metrics_).query(request);
    EXPECT_TRUE(result.ok()) << request.expr << ": " << result.error().message;
    return result.ok() ? std::move(*result) : QueryResult();
  }
  std::uint64_t samples_read(const QueryRequest& request, EngineOptions options = {}) {
    return answer(request, options).stats.samples_read;
  }

  GeneratedSource source_{kSeries, 600};
  MetricsRegistry metrics_;
};

TEST_F(SharingTest, WhatIsWrittenTwiceIsReadOnce) {
  const auto once = samples_read(hour("rate(m[5m])"));
  for (const char* expr : {
           "rate(m[5m]) / (rate(m[5m]) + rate(m[5m]))",
           "rate(m[5m]) - (rate((m{}[5m])))",
           "sum by (host) (rate(m[5m])) / on () group_left sum(rate(m[5m]))",
           "rate(m[5m]) + increase(m[5m])",
           "max_over_time(m[5m]) - min_over_time(m[5m])",
           "rate(m[5m]) or m",
           "m or rate(m[5m])",
           "m * (time() - timestamp(m)) + rate(m[5m])",
           "count(m) + sum(rate(m[5m]))",
           "rate(m[5m]) * scalar(sum(rate(m[5m])))",
           "scalar(sum(rate(m[5m]))) * rate(m[5m]) + scalar(sum(rate(m[5m])))",
           "avg_over_time(m[4m]) - avg_over_time(m[4m] offset 1m)",
       }) {
    EXPECT_EQ(samples_read(hour(expr)), once) << expr;
  }
  EXPECT_EQ(samples_read(hour("sum_over_time(rate(m[4m])[1m:1m]) + rate(m[5m])")), once) << "within a subquery, too";
  EXPECT_EQ(samples_read(now("m or rate(m[5m])")), samples_read(now("rate(m[5m])")));
  EXPECT_EQ(samples_read(now("sum(m) / count(m)")), samples_read(now("m")));
}

TEST_F(SharingTest, WhatIsNotTheSameIsNotShared) {
  const auto once = samples_read(hour("rate(m[5m])"));
  EXPECT_EQ(samples_read(hour("rate(m[5m]) or rate(m[5m] offset 1d)")), once) << "there was nothing a day ago";
  EXPECT_EQ(samples_read(hour("rate(m[5m]) / rate(m{x=''}[5m])")), 2 * once);
  EXPECT_EQ(samples_read(hour("m - m offset 55m")), 2 * samples_read(hour("m"))) << "they hardly overlap";
}

TEST_F(SharingTest, TheAnswerIsThatOfEachPartAlone) {
  // A selector with another matcher that lets everything through is another one.
  const struct {
    const char* shared;
    const char* apart;
  } cases[] = {
      {"avg_over_time(m[7m]) - stddev_over_time(m[5m])", "avg_over_time(m[7m]) - stddev_over_time(m{x=''}[5m])"},
      {"m or rate(m[5m])", "m or rate(m{x=''}[5m])"},
      {"rate(m[5m]) * rate(m[5m])", "rate(m[5m]) * rate(m{x=''}[5m])"},
      {"m @ end() - m", "m @ end() - m{x=''}"},
      {"sum_over_time(m[3m] offset 2m) + m", "sum_over_time(m[3m] offset 2m) + m{x=''}"},
      {"delta(m[3m] smoothed) + delta(m[3m] anchored)", "delta(m[3m] smoothed) + delta(m{x=''}[3m] anchored)"},
      {"count(m) by (instance) * sum(m) by (instance)", "count(m) by (instance) * sum(m{x=''}) by (instance)"},
      {"topk(3, m) and (m > 1)", "topk(3, m) and (m{x=''} > 1)"},
      {"histogram_quantile(0.5, label_replace(m, 'le', '$1', 'host', 'h(.*)')) or "
       "histogram_quantile(0.9, label_replace(m, 'le', '$1', 'host', 'h(.*)'))",
       "histogram_quantile(0.5, label_replace(m, 'le', '$1', 'host', 'h(.*)')) or "
       "histogram_quantile(0.9, label_replace(m{x=''}, 'le', '$1', 'host', 'h(.*)'))"},
  };
  for (const auto& c : cases) {
    for (const auto& request_of : {hour, now}) {
      const auto shared = answer(request_of(c.shared));
      const auto apart = answer(request_of(c.apart));
      EXPECT_FALSE(shared.series.empty()) << c.shared;
      EXPECT_EQ(text_of(shared), text_of(apart)) << c.shared;
      EXPECT_LE(shared.stats.samples_read, apart.stats.samples_read) << c.shared;
    }
  }
}

TEST_F(SharingTest, RowsThatAreTooManyAreComputedAgain) {
  // One side is held, 50 x 61 cells. To keep the other side's as well would be too much.
  const EngineOptions tight{.max_samples = 2 * kSeries * 61 + 1000};
  for (const char* expr : {"rate(m[5m]) / rate(m[5m])", "rate(m[5m]) / increase(m[5m])"}) {
    const auto roomy = answer(hour(expr));
    const auto result = answer(hour(expr), tight);
    EXPECT_EQ(text_of(result), text_of(roomy)) << expr;
    EXPECT_EQ(result.stats.samples_read, 2 * roomy.stats.samples_read) << expr;
  }
}

TEST_F(SharingTest, NoLimitIsReachedBecauseOfWhatIsKept) {
  const struct {
    const char* shared;
    const char* apart;
  } cases[] = {
      {"sum((rate(m[5m]) + m{x=''}) or rate(m[5m]))", "sum((rate(m[5m]) + m{x=''}) or rate(m{y=''}[5m]))"},
      {"sum(quantile by (host) (0.5, m{x=''}) or m or -m)", "sum(quantile by (host) (0.5, m{x=''}) or m or -m{y=''})"},
      {"sum(m / quantile by (host) (0.5, m))", "sum(m / quantile by (host) (0.5, m{x=''}))"},
      {"sum(m) + sum(rate(m[5m])) + quantile(0.5, m)", "sum(m) + sum(rate(m{x=''}[5m])) + quantile(0.5, m{y=''})"},
  };
  MetricsRegistry metrics;
  for (const auto& c : cases) {
    int passed = 0;
    for (std::uint64_t limit = 500; limit <= 12'500; limit += 240) {
      Engine engine(source_, {.max_samples = limit}, metrics);
      const auto apart = engine.query(hour(c.apart));
      if (!apart.ok()) continue;
      ++passed;
      const auto shared = engine.query(hour(c.shared));
      ASSERT_TRUE(shared.ok()) << limit << ": " << shared.error().message;
      EXPECT_EQ(text_of(*shared), text_of(*apart)) << c.shared;
    }
    EXPECT_GT(passed, 5) << c.apart;
    EXPECT_LT(passed, 50) << c.apart;
  }
}

TEST_F(SharingTest, AMemoryBudgetHolds) {
  const EngineOptions small{.max_memory = 100'000};
  for (const char* expr : {"m", "m[30m]", "sum by (host) (m)", "quantile by (host) (0.5, m)", "topk by (host) (1, m)",
                           "count_values('v', m)", "m + m", "sort_by_label(m, 'host')", "m and m", "m or m",
                           "sum(m * on (host) group_right m)", "label_replace(m, 'x', '$1', 'host', '(.*)')"}) {
    GeneratedSource many(2'000, 100);
    auto request = now(expr);
    request.start = request.end = 20 * kMinute;
    const auto result = Engine(many, small, metrics_).query(request);
    ASSERT_FALSE(result.ok()) << expr;
    EXPECT_EQ(result.error().kind, ErrorKind::execution);
    EXPECT_EQ(result.error().message,
              "query processing would use too much memory in query execution: more than 100000 bytes "
              "(--query.max-memory) for " +
                  std::string(expr));
  }
  GeneratedSource many(2'000, 100);
  auto request = now("count(m)");
  request.start = request.end = 20 * kMinute;
  const auto sum = Engine(many, small, metrics_).query(request);
  ASSERT_TRUE(sum.ok()) << sum.error().message;
  EXPECT_GT(sum->stats.peak_memory, 0U);
}

std::string plan_of(const PlanNode& node) {
  std::string text = node.text + " " + std::to_string(node.series);
  for (const auto& input : node.inputs) text += " [" + plan_of(*input) + "]";
  return text;
}

TEST_F(SharingTest, AnExplainedPlanNamesWhatIsShared) {
  auto request = hour("rate(m[5m]) / (rate(m[5m]) + increase(m[5m]))");
  request.explain = true;
  const auto result = answer(request);
  ASSERT_TRUE(result.plan);
  EXPECT_EQ(plan_of(*result.plan), "/ 50 [rate(m[5m]) 50] [+ 50 [rate(m[5m]) (as above) 50] [increase(m[5m]) 50]]");
  EXPECT_EQ(result.plan->samples_read, result.stats.samples_read);
}

}  // namespace
}  // namespace pipit
