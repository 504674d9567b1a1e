// What the query engine costs without a store below it: samples come from arrays.

#include <benchmark/benchmark.h>

#include "query/engine.h"
#include "query/range_kernels.h"
#include "telemetry/metrics.h"
#include "tests/query/generated_source.h"

namespace pipit {
namespace {

constexpr DurationMs kScrapeInterval = 15'000;

/// A function of a 5-minute range at every scrape of a day, over one series in arrays. The rate is samples a second.
void BM_RangeFunction(benchmark::State& state, const char* name) {
  constexpr std::size_t kSamples = 5760;
  std::vector<TimestampMs> times(kSamples);
  std::vector<double> values(kSamples);
  for (std::size_t s = 0; s < kSamples; ++s) {
    times[s] = static_cast<TimestampMs>(s) * kScrapeInterval;
    values[s] = static_cast<double>((s * 7919) % 1000);
  }
  Windows windows;
  windows.grid = {0, kScrapeInterval, kSamples};
  windows.window.range = state.range(0) * 60'000;
  std::vector<ScalarColumn> args{ScalarColumn(0.9)};
  Block block;
  for (auto _ : state) {
    block.reset(kSamples);
    auto row = block.add_row({}, false);
    windows.assign(times, values);
    find_range_function(name)->kernel(windows, args, {block.values(row), block.mask(row)});
    benchmark::DoNotOptimize(block.values(row));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSamples));
}
BENCHMARK_CAPTURE(BM_RangeFunction, rate, "rate")->Arg(5)->Arg(60);
BENCHMARK_CAPTURE(BM_RangeFunction, sum_over_time, "sum_over_time")->Arg(5)->Arg(60)->Arg(600);
BENCHMARK_CAPTURE(BM_RangeFunction, avg_over_time, "avg_over_time")->Arg(5)->Arg(60);
BENCHMARK_CAPTURE(BM_RangeFunction, max_over_time, "max_over_time")->Arg(5)->Arg(60)->Arg(600);
BENCHMARK_CAPTURE(BM_RangeFunction, stddev_over_time, "stddev_over_time")->Arg(5)->Arg(60);
BENCHMARK_CAPTURE(BM_RangeFunction, quantile_over_time, "quantile_over_time")->Arg(5)->Arg(60)->Arg(600);
BENCHMARK_CAPTURE(BM_RangeFunction, deriv, "deriv")->Arg(5)->Arg(60);

/// A dashboard's hour: 10,000 series, 240 steps of 15 s. The rate is samples read a second.
void BM_Query(benchmark::State& state, const char* expr) {
  GeneratedSource source(10'000, 300);
  MetricsRegistry metrics;
  Engine engine(source, {}, metrics);
  for (auto _ : state) {
    auto result = engine.query(
        {.expr = expr, .start = 60 * kScrapeInterval, .end = 299 * kScrapeInterval, .step = kScrapeInterval});
    if (!result.ok()) state.SkipWithError(result.error().message.c_str());
    benchmark::DoNotOptimize(result);
  }
  state.SetItemsProcessed(state.iterations() * 10'000 * 240);
}
BENCHMARK_CAPTURE(BM_Query, selector, "m")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, sum_by, "sum by (instance) (m)")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, sum_by_rate, "sum by (instance) (rate(m[5m]))")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, topk, "topk(5, rate(m[5m]))")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, vector_matching, "m / on (host) m")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, quantile, "quantile by (instance) (0.9, m)")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace pipit
