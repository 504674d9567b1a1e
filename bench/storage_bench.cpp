// What the store costs: CPU of an append, RAM and disk of recorded pages, time of a query and of a restart.
// Pages are *.prom files in the folder that PIPIT_PAGES names, one scrape each, in the order of their names.
// Run: PIPIT_PAGES=recordings/node storage_bench

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bench/footprint.h"
#include "storage/store.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

constexpr TimestampMs kStart = 1'700'000'000'000;

struct Page {
  std::vector<std::string> series;  // as on the page
  std::vector<double> values;
};

Labels parse_series(std::string_view text, int target) {
  std::vector<Label> labels;
  const std::size_t brace = text.find('{');
  labels.push_back({"__name__", std::string(text.substr(0, brace))});
  for (std::size_t at = brace; at != std::string_view::npos && at + 1 < text.size() && text[at] != '}';) {
    const std::size_t equals = text.find('=', at);
    const std::size_t end = text.find('"', equals + 2);
    labels.push_back(
        {std::string(text.substr(at + 1, equals - at - 1)), std::string(text.substr(equals + 2, end - equals - 2))});
    at = end + 1;
  }
  labels.push_back({"job", "node"});
  labels.push_back({"instance", "10.0.0." + std::to_string(target) + ":9100"});
  return Labels(std::move(labels));
}

Page read_page(const std::filesystem::path& file) {
  std::ifstream in(file);
  Page page;
  for (std::string line; std::getline(in, line);) {
    const std::size_t space = line.rfind(' ');
    if (line.empty() || line[0] == '#' || space == std::string::npos) continue;
    page.series.push_back(line.substr(0, space));
    page.values.push_back(strtod(line.c_str() + space + 1, nullptr));
  }
  return page;
}

const std::vector<Page>& pages(std::size_t count) {
  static std::vector<Page> all;
  if (all.size() >= count) return all;
  all.clear();
  if (const char* folder = getenv("PIPIT_PAGES")) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (std::size_t i = 0; i < std::min(count, files.size()); ++i) all.push_back(read_page(files[i]));
    return all;
  }
  for (std::size_t i = 0; i < count; ++i) {  // a third changes, as on real pages
    Page page;
    for (int s = 0; s < 507; ++s) {
      page.series.push_back("m" + std::to_string(s / 5) + "{s=\"" + std::to_string(s) + "\"}");
      page.values.push_back(
          s % 3 != 0 ? s : static_cast<double>(i * 100 + (i * 31 + static_cast<std::size_t>(s)) % 97) / 10);
    }
    all.push_back(std::move(page));
  }
  return all;
}

StoreOptions options(const Folder& folder) {
  StoreOptions options;
  options.path = folder.path();
  options.retention = 0;
  return options;
}

/// One target's page after page; the refs are looked up when the page's shape changes.
struct Target {
  int number = 0;
  std::vector<SeriesRef> refs;
  std::vector<std::string> shape;

  void scrape(Store& store, const Page& page, TimestampMs time) {
    if (shape != page.series) {
      shape = page.series;
      refs.clear();
      for (const std::string& series : shape) refs.push_back(store.series(parse_series(series, number)).value());
    }
    (void)store.append({refs, page.values, {&time, 1}}).value();
  }
};

/// 200 targets: RAM with their pages in the head, then a kill and the time until the store is open again. It comes
/// first, as a fork has none of the threads that RocksDB starts.
void BM_ManyTargets(benchmark::State& state) {
  const auto& all = pages(1000);
  const int targets = static_cast<int>(state.range(0));
  constexpr int kScrapes = 100;
  for (auto _ : state) {
    Folder folder;
    int result[2];
    if (pipe(result) != 0) return state.SkipWithError("no pipe");
    const double before = status_kb("VmRSS:");
    const pid_t child = fork();
    if (child == 0) {
      MetricsRegistry metrics;
      auto store = Store::open(options(folder), metrics).value();
      std::vector<Target> fleet(static_cast<std::size_t>(targets));
      for (int t = 0; t < targets; ++t) fleet[static_cast<std::size_t>(t)].number = t;
      for (int i = 0; i < kScrapes; ++i) {
        for (Target& target : fleet) {
          target.scrape(*store, all[static_cast<std::size_t>(i + target.number) % all.size()], kStart + i * 15'000LL);
          target.shape.shrink_to_fit();
        }
      }
      // What this program itself holds of pages and handles isn't the store's.
      double own = 0;
      for (const Target& target : fleet) {
        own += static_cast<double>(target.refs.capacity() * sizeof(SeriesRef));
        for (const auto& text : target.shape)
          own += static_cast<double>(sizeof(std::string) + (text.size() > 15 ? text.capacity() + 16 : 0));
      }
      const double mb[2] = {(status_kb("VmRSS:") - before - own / 1024) / 1024,
                            static_cast<double>(store->stats().head_bytes) / (1 << 20)};
      if (write(result[1], mb, sizeof mb) < 0) _exit(1);
      _exit(0);
    }
    double mb[2] = {};
    if (read(result[0], mb, sizeof mb) < 0) return state.SkipWithError("the child died");
    waitpid(child, nullptr, 0);
    state.counters["rss_mb"] = mb[0];
    state.counters["head_mb"] = mb[1];
    MetricsRegistry metrics;
    const auto start = std::chrono::steady_clock::now();
    auto store = Store::open(options(folder), metrics).value();
    state.counters["reopen_s"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    state.counters["replayed"] = static_cast<double>(store->stats().replayed_records);
  }
}
BENCHMARK(BM_ManyTargets)->Arg(200)->Iterations(1)->Unit(benchmark::kSecond);

void BM_AppendScrape(benchmark::State& state) {
  const auto& all = pages(1000);
  Folder folder;
  MetricsRegistry metrics;
  auto store = Store::open(options(folder), metrics).value();
  Target target;
  TimestampMs time = kStart;
  std::size_t i = 0;
  target.scrape(*store, all[0], time);
  double samples = 0;
  for (auto _ : state) {
    const Page& page = all[++i % all.size()];
    target.scrape(*store, page, time += 15'000);
    samples += static_cast<double>(page.values.size());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(samples));
}
BENCHMARK(BM_AppendScrape)->Iterations(4000)->Unit(benchmark::kMicrosecond);

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// A gauge of the store, as it would be scraped.
double gauge(const MetricsRegistry& metrics, std::string_view name) {
  const std::string page = metrics.render();
  const std::size_t at = page.find("\n" + std::string(name) + " ");
  return at == std::string::npos ? 0 : strtod(page.c_str() + at + name.size() + 2, nullptr);
}

double read_all(const Store& store) {
  SymbolTable symbols;
  const std::vector<Matcher> everything;
  const SelectRequest request{everything, kMinTimestamp, kMaxTimestamp, nullptr};
  auto cursor = store.select(request, symbols).value();
  double samples = 0;
  while (cursor->next().value()) samples += static_cast<double>(cursor->times().size());
  return samples;
}

/// Four targets, each with a stretch of the recording that no other has, 15 s apart, from the start of a day on: bytes
/// of a series in RAM at 240 samples; bytes of a sample on disk before and after the day is merged; CPU of each, and of
/// reading all of it.
void BM_BytesPerSample(benchmark::State& state) {
  const auto& all = pages(static_cast<std::size_t>(state.range(0)));
  constexpr TimestampMs kDay = 86'400'000;
  const TimestampMs start = kStart / kDay * kDay;
  for (auto _ : state) {
    Folder folder;
    MetricsRegistry metrics;
    auto store = Store::open(options(folder), metrics).value();
    const double empty = folder.bytes();
    std::vector<Target> targets(4);
    const std::size_t stretch = all.size() / targets.size();
    double samples = 0;
    const double begin = cpu_seconds();
    for (std::size_t i = 0; i < stretch; ++i) {  // every page once
      for (std::size_t t = 0; t < targets.size(); ++t) {
        const Page& page = all[t * stretch + i];
        targets[t].number = static_cast<int>(t);
        targets[t].scrape(*store, page, start + static_cast<TimestampMs>(i) * 15'000);
        samples += static_cast<double>(page.values.size());
      }
      if (i == 240) {
        const StoreStats stats = store->stats();
        state.counters["head_bytes_per_series"] =
            static_cast<double>(stats.head_bytes) / static_cast<double>(stats.head_series);
      }
      if (i % 480 == 479) (void)store->checkpoint();
    }
    (void)store->checkpoint();
    state.counters["append_ns"] = (cpu_seconds() - begin) / samples * 1e9;
    state.counters["chunk_bytes_before"] = gauge(metrics, "pipit_storage_chunk_file_bytes") / samples;
    const double merge_begin = cpu_seconds();
    if (!store->merge_closed_days(start + 2 * kDay).ok()) state.SkipWithError("the merge failed");
    state.counters["merge_ns"] = (cpu_seconds() - merge_begin) / samples * 1e9;
    state.counters["chunk_bytes"] = gauge(metrics, "pipit_storage_chunk_file_bytes") / samples;
    const double read_begin = cpu_seconds();
    if (read_all(*store) != samples) state.SkipWithError("samples are gone");
    state.counters["read_ns"] = (cpu_seconds() - read_begin) / samples * 1e9;
    (void)store->close();
    state.counters["all_bytes"] = folder.bytes() / samples;
    state.counters["empty_bytes"] = empty / samples;
  }
}
BENCHMARK(BM_BytesPerSample)->Arg(5760)->Iterations(1)->Unit(benchmark::kSecond);

/// One metric of all targets over the newest hour, and all series at the newest moment.
void BM_Select(benchmark::State& state) {
  const auto& all = pages(1000);
  Folder folder;
  MetricsRegistry metrics;
  auto store = Store::open(options(folder), metrics).value();
  std::vector<Target> fleet(20);
  TimestampMs time = kStart;
  for (int i = 0; i < 960; ++i, time += 15'000) {
    for (std::size_t t = 0; t < fleet.size(); ++t) {
      fleet[t].number = static_cast<int>(t);
      fleet[t].scrape(*store, all[(static_cast<std::size_t>(i) + t) % all.size()], time);
    }
    if (i == 480) (void)store->checkpoint();
  }
  const std::string name = all[0].series[0].substr(0, all[0].series[0].find('{'));
  const std::vector<Matcher> one{Matcher::equal("__name__", name)};
  const std::vector<Matcher> everything;
  const bool hour = state.range(0) == 0;
  double samples = 0;
  double series = 0;
  for (auto _ : state) {
    SymbolTable symbols;
    const SelectRequest request{hour ? one : everything, time - (hour ? 4 * 3'600'000 : 300'000), time, nullptr};
    auto cursor = store->select(request, symbols).value();
    while (cursor->next().value()) {
      samples += static_cast<double>(cursor->times().size());
      series += 1;
    }
  }
  state.counters["series"] = benchmark::Counter(series, benchmark::Counter::kAvgIterations);
  state.counters["samples_per_s"] = benchmark::Counter(samples, benchmark::Counter::kIsRate);
  state.counters["series_per_s"] = benchmark::Counter(series, benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Select)->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace pipit
