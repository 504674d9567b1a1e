// What the index costs: a million series (or PIPIT_SERIES of them) made, found by matchers, counted and forgotten, and
// a day of deploys that rename every instance each hour.
// Run: index_bench; PIPIT_SERIES=10000000 index_bench --benchmark_filter=Scale

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

#include "bench/footprint.h"
#include "model/duration.h"
#include "storage/keys.h"
#include "storage/store.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

StoreOptions options(const Folder& folder) {
  StoreOptions options;
  options.path = folder.path() / "pipit";
  options.retention = 0;
  return options;
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Selected {
  double series = 0;
  double samples = 0;
  double milliseconds = 0;
};

Selected select(const Store& store, const std::vector<Matcher>& matchers, TimestampMs from, TimestampMs to,
                bool labels = true, bool newest_only = false) {
  Selected found;
  found.milliseconds = 1000 * seconds_of([&] {
                         SymbolTable symbols;
                         SelectRequest request{matchers, from, to, nullptr};
                         request.labels = labels;
                         request.newest_only = newest_only;
                         auto cursor = store.select(request, symbols).value();
                         while (cursor->next().value()) {
                           found.series += 1;
                           found.samples += static_cast<double>(cursor->times().size());
                         }
                       });
  return found;
}

std::vector<Matcher> matching(std::initializer_list<Matcher> matchers) { return matchers; }
Matcher regex(std::string name, std::string value) {
  return Matcher::make(MatchType::regex, std::move(name), std::move(value)).value();
}

/// 24 deploys, each of which gives all 2,000 instances a new name, or none. The last hours are asked for at the end.
void BM_Churn(benchmark::State& state) {
  const bool churns = state.range(0) == 1;
  constexpr int kLive = 2000;
  constexpr int kMinutes = 24 * 60;
  const TimestampMs start = partition_start(partition_of(now_ms()) - 2);  // one partition: the worst case
  Folder folder;
  MetricsRegistry metrics;
  auto store = Store::open(options(folder), metrics).value();
  std::vector<SeriesRef> refs;
  std::vector<double> values(kLive);
  TimestampMs time = start;
  for (int minute = 0; minute < kMinutes; ++minute, time += 60'000) {
    if (minute == 0 || (churns && minute % 60 == 0)) {
      refs.clear();
      for (int i = 0; i < kLive; ++i) {
        const std::string deploy = std::to_string(minute / 60);
        refs.push_back(store
                           ->series({{"__name__", "http_requests_total"},
                                     {"instance", "web-" + deploy + "-" + std::to_string(i)},
                                     {"job", "web"}})
                           .value());
      }
    }
    for (int i = 0; i < kLive; ++i) values[static_cast<std::size_t>(i)] = minute * 10 + i % 7;
    (void)store->append({refs, values, {&time, 1}}).value();
    if (minute % 60 == 40) (void)store->checkpoint();
  }
  store.reset();  // the series of earlier deploys leave the head
  store = Store::open(options(folder), metrics).value();
  const std::vector<Matcher> all = matching({Matcher::equal("__name__", "http_requests_total")});
  const std::vector<Matcher> by_job =
      matching({Matcher::equal("__name__", "http_requests_total"), Matcher::equal("job", "web")});
  Selected five_minutes;
  Selected hour;
  Selected with_matcher;
  Selected day;
  double names = 0;
  const std::vector<std::vector<Matcher>> sets{all};
  double rounds = 0;
  for (auto _ : state) {
    rounds += 1;
    five_minutes.milliseconds += select(*store, all, time - 300'000, time).milliseconds;
    hour.milliseconds += select(*store, all, time - 3'600'000, time).milliseconds;
    with_matcher.milliseconds += select(*store, by_job, time - 300'000, time).milliseconds;
    day.milliseconds += select(*store, all, start, time).milliseconds;
    names += seconds_of([&] { (void)store->label_values("instance", sets, time - 300'000, time, 0).value(); });
  }
  state.counters["5m_ms"] = five_minutes.milliseconds / rounds;
  state.counters["5m_job_ms"] = with_matcher.milliseconds / rounds;
  state.counters["1h_ms"] = hour.milliseconds / rounds;
  state.counters["24h_ms"] = day.milliseconds / rounds;
  state.counters["values_ms"] = 1000 * names / rounds;
  state.counters["disk_mb"] = folder.bytes() / (1 << 20);
}
BENCHMARK(BM_Churn)->Arg(0)->Arg(1)->Iterations(20)->Unit(benchmark::kMillisecond);

/// 507 metrics of many instances: made, checkpointed, opened again, found in the head and on disk.
void BM_Scale(benchmark::State& state) {
  const char* wanted = getenv("PIPIT_SERIES");
  constexpr int kMetrics = 507;
  const int instances = (wanted != nullptr ? atoi(wanted) : 1'000'000) / kMetrics;
  const double series = static_cast<double>(instances) * kMetrics;
  // In the head all at once as long as that fits; of more, what an idle hour would let go is let go at every million.
  const int batch = std::min(instances, 1'000'000 / kMetrics);
  for (auto _ : state) {
    Folder folder;
    MetricsRegistry metrics;
    const double rss_before = status_kb("VmRSS:") / 1024;
    auto store = Store::open(options(folder), metrics).value();
    std::vector<SeriesRef> refs(kMetrics);
    std::vector<double> values(kMetrics);
    TimestampMs time = now_ms() - 3'600'000;
    const auto address = [](int i) {
      return "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255);
    };
    double made = 0;
    for (int i = 0; i < instances; ++i) {
      if (i % batch == 0 && i != 0) {
        store.reset();
        store = Store::open(options(folder), metrics).value();
        time += 1000;
      }
      made += seconds_of([&] {
        for (int m = 0; m < kMetrics; ++m) {
          refs[static_cast<std::size_t>(m)] = store
                                                  ->series({{"__name__", "metric_" + std::to_string(m)},
                                                            {"instance", address(i) + ":9100"},
                                                            {"job", i % 3 == 0 ? "node" : "web"}})
                                                  .value();
          values[static_cast<std::size_t>(m)] = m % 3 == 0 ? i * 0.5 : m;
        }
        (void)store->append({refs, values, {&time, 1}}).value();
      });
    }
    state.counters["make_us"] = 1e6 * made / series;
    const auto show = [&](const char* what, const Selected& found) {
      std::printf("%-58s %9.0f series %10.2f ms\n", what, found.series, found.milliseconds);
    };
    const auto ask = [&](const char* where) {
      std::printf("-- %s, RSS %.0f MB\n", where, status_kb("VmRSS:") / 1024 - rss_before);
      const TimestampMs from = time - 300'000;
      const std::vector<Matcher> everything = matching({regex("__name__", ".+")});
      for (int i = 0; i < 2; ++i)
        show("{__name__=~\".+\"} without labels", select(*store, everything, from, time, false));
      show("{__name__=~\".+\"} without labels, newest samples", select(*store, everything, from, time, false, true));
      show("{__name__=~\".+\"}", select(*store, everything, from, time));
      show("{__name__=\"metric_7\"}", select(*store, matching({Matcher::equal("__name__", "metric_7")}), from, time));
      show("{instance=\"10.0.3.7:9100\"}",
           select(*store, matching({Matcher::equal("instance", "10.0.3.7:9100")}), from, time));
      show("{instance=~\"10.0.3.7:9100|10.0.4.7:9100\"}",
           select(*store, matching({regex("instance", "10.0.3.7:9100|10.0.4.7:9100")}), from, time));
      show("{__name__=\"metric_7\", instance=~\"10\\\\.0\\\\.3\\\\..*\"}",
           select(*store, matching({Matcher::equal("__name__", "metric_7"), regex("instance", "10\\.0\\.3\\..*")}),
                  from, time));
      show("{__name__=~\".+\", instance=~\".*\\\\.7:9100\"}",
           select(*store, matching({regex("__name__", ".+"), regex("instance", ".*\\.7:9100")}), from, time));
      const std::vector<std::vector<Matcher>> one{matching({Matcher::equal("__name__", "metric_7")})};
      std::printf("%-58s %26.2f ms\n", "label_values(metric_7, job)",
                  1000 * seconds_of([&] { (void)store->label_values("job", one, from, time, 0).value(); }));
      std::printf("%-58s %26.2f ms\n", "cardinality(10)",
                  1000 * seconds_of([&] { (void)store->cardinality(10).value(); }));
    };
    ask("in the head");
    state.counters["rss_mb"] = status_kb("VmRSS:") / 1024 - rss_before;
    state.counters["checkpoint_s"] = seconds_of([&] { (void)store->checkpoint(); });
    state.counters["disk_bytes_per_series"] = folder.bytes() / series;
    store.reset();
    state.counters["open_s"] = seconds_of([&] { store = Store::open(options(folder), metrics).value(); });
    ask("on disk");
    std::printf("peak RSS %.0f MB\n", status_kb("VmHWM:") / 1024);
  }
}
BENCHMARK(BM_Scale)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace pipit
