// What the query engine costs: functions and queries over samples in arrays, and chunks in RAM decoded and rated.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <unordered_map>

#include "query/engine.h"
#include "query/range_kernels.h"
#include "storage/chunk.h"
#include "storage/packed_values.h"
#include "telemetry/metrics.h"
#include "tests/query/generated_source.h"

namespace pipit {
namespace {

constexpr DurationMs kScrapeInterval = 15'000;

/// A function of a 5-minute range at every scrape of a day, over one series in arrays. The rate is samples a second.
void BM_RangeFunction(benchmark::State& state, const char* name) {
  constexpr std::size_t kSamples = 5760;
  TimeColumn times(kSamples);
  ValueColumn values(kSamples);
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

enum Kind { kConstant, kScaledInteger, kBits };

/// A day of a series whose chunk is of one encoding: nothing changes, a counter of hundredths that grows by noise and
/// is reset twice, or doubles that no decimal scale fits.
ValueColumn day_of(Kind kind, std::size_t samples) {
  std::mt19937_64 random(1);
  ValueColumn values;
  double counter = 1000;
  for (std::size_t s = 0; s < samples; ++s) {
    if (s % 2500 == 2499) counter = 0;
    counter += static_cast<double>(random() % 600) / 100;
    values.push_back(kind == kConstant        ? 42
                     : kind == kScaledInteger ? std::round(counter * 100) / 100
                                              : counter * (1 + static_cast<double>(random() % 1000) * 1e-14));
  }
  return values;
}

constexpr std::size_t kDay = 5760;

struct StoredSeries {
  std::string chunk;
  TimestampMs start;
};

StoredSeries store(const ValueColumn& values, PackedValuesEncoder& encoder) {
  TimeColumn times(values.size());
  for (std::size_t s = 0; s < times.size(); ++s) times[s] = static_cast<TimestampMs>(s) * kScrapeInterval;
  return {encode_merged_chunk(times, values, encoder), times.front()};
}

/// Decodes the series' chunks and computes rate(m[5m]) for each minute. The rate is samples a second.
void scan_and_rate(benchmark::State& state, const std::vector<StoredSeries>& all) {
  Windows windows;
  windows.grid = {0, 60'000, kDay / 4};
  windows.window.range = 300'000;
  TimeColumn times;
  ValueColumn values;
  Block block;
  std::size_t samples = 0;
  for (auto _ : state) {
    for (const StoredSeries& series : all) {
      times.clear();
      values.clear();
      if (!decode_chunk(series.chunk, series.start, times, values).ok()) state.SkipWithError("a damaged chunk");
      block.reset(windows.grid.count);
      const auto row = block.add_row({}, false);
      windows.assign(times, values);
      find_range_function("rate")->kernel(windows, {}, {block.values(row), block.mask(row)});
      benchmark::DoNotOptimize(block.values(row));
      samples += times.size();
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(samples));
}

void BM_ScanAndRate(benchmark::State& state, Kind kind) {
  PackedValuesEncoder encoder;
  scan_and_rate(state, {store(day_of(kind, kDay), encoder)});
}
BENCHMARK_CAPTURE(BM_ScanAndRate, constant, kConstant);
BENCHMARK_CAPTURE(BM_ScanAndRate, scaled_integer, kScaledInteger);
BENCHMARK_CAPTURE(BM_ScanAndRate, bits, kBits);

/// All series of a day that was recorded, from PIPIT_PAGES: a folder with a page of the text format for each scrape.
void BM_ScanAndRateRecorded(benchmark::State& state) {
  const char* folder = std::getenv("PIPIT_PAGES");
  if (folder == nullptr) return state.SkipWithError("set PIPIT_PAGES to a folder with recorded pages");
  std::vector<std::filesystem::path> pages;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) pages.push_back(entry.path());
  std::sort(pages.begin(), pages.end());
  pages.resize(std::min(pages.size(), kDay));
  std::unordered_map<std::string, ValueColumn> recorded;
  for (const auto& page : pages) {
    std::ifstream in(page);
    for (std::string line; std::getline(in, line);) {
      const std::size_t space = line.rfind(' ');
      if (line.empty() || line[0] == '#' || space == std::string::npos) continue;
      recorded[line.substr(0, space)].push_back(std::strtod(line.c_str() + space, nullptr));
    }
  }
  PackedValuesEncoder encoder;
  std::vector<StoredSeries> all;
  for (const auto& [name, values] : recorded) all.push_back(store(values, encoder));
  scan_and_rate(state, all);
}
BENCHMARK(BM_ScanAndRateRecorded)->Unit(benchmark::kMillisecond);

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
// Half of the rows are computed once for two places; two functions of one reading.
BENCHMARK_CAPTURE(BM_Query, written_twice, "rate(m[5m]) / on (host) (rate(m[5m]) + 1)")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Query, read_twice, "max_over_time(m[5m]) - min_over_time(m[5m])")->Unit(benchmark::kMillisecond);

/// CPU of a query over so many series and steps. All windows are full: an hour lies before the first step.
double cpu_of(const char* expr, std::size_t series, std::int64_t steps) {
  constexpr std::int64_t kBefore = 3'600'000 / kScrapeInterval;
  GeneratedSource source(series, static_cast<std::size_t>(steps + kBefore));
  MetricsRegistry metrics;
  Engine engine(source, {.max_samples = 1'000'000'000, .max_memory = std::uint64_t{8} << 30, .threads = 1}, metrics);
  const std::clock_t begin = std::clock();
  auto result = engine.query({.expr = expr,
                              .start = kBefore * kScrapeInterval,
                              .end = (kBefore - 1 + steps) * kScrapeInterval,
                              .step = kScrapeInterval});
  benchmark::DoNotOptimize(result);
  return static_cast<double>(std::clock() - begin);
}

/// How many times as much CPU a query takes over ten times the series, and ten times the range. The least of several
/// runs each, alternating, as a busy machine adds to all. None fits a second-level cache.
void BM_Growth(benchmark::State& state, const char* expr) {
  double least[3] = {1e300, 1e300, 1e300};
  for (auto _ : state) {
    least[0] = std::min(least[0], cpu_of(expr, 4'000, 240));
    least[1] = std::min(least[1], cpu_of(expr, 40'000, 240));
    least[2] = std::min(least[2], cpu_of(expr, 4'000, 2'400));
  }
  state.counters["series_x10"] = least[1] / least[0];
  state.counters["range_x10"] = least[2] / least[0];
}
#define GROWTH(name, expr) BENCHMARK_CAPTURE(BM_Growth, name, expr)->Iterations(7)->Unit(benchmark::kMillisecond)
GROWTH(selector, "m");
GROWTH(sum_by_rate, "sum by (instance) (rate(m[5m]))");
GROWTH(avg_over_time, "sum(avg_over_time(m[1h]))");
GROWTH(max_over_time, "sum(max_over_time(m[1h]))");
GROWTH(matching, "m / on (host) rate(m[5m])");
GROWTH(topk, "topk(5, m)");
GROWTH(quantile, "quantile by (instance) (0.9, m)");
GROWTH(subquery, "sum(max_over_time(rate(m[5m])[10m:1m]))");
#undef GROWTH

}  // namespace
}  // namespace pipit
