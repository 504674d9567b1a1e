// What reading a page costs, by how much of it the target's cache knows. The pages are those of a real node exporter,
// one second apart, from ../shared/recordings.

#include <benchmark/benchmark.h>

#include <charconv>

#include "bench/recording.h"
#include "scrape/sample_value.h"
#include "scrape/series_cache.h"

namespace pipit {
namespace {

const std::vector<std::string>& node_pages() {
  static const std::vector<std::string> pages =
      read_recording(PIPIT_SOURCE_DIR "/../shared/recordings/node.tar.zst", 60, 100);
  return pages;
}

/// Pages with the same lines in the same order: a scrape in which only values changed.
std::vector<std::string> pages_of_one_layout() {
  std::vector<std::string> pages;
  LayoutPool pool;
  SeriesCache cache(pool);
  ScrapedPage page;
  PageFault fault;
  for (const std::string& text : node_pages()) {
    if (!cache.read(text, PageFormat::text, page, fault)) continue;
    const bool same = page.fresh.empty() && page.refs.size() == cache.size();
    if (!same && !pages.empty()) continue;
    for (std::uint32_t i : page.fresh) page.refs[i] = i + 1;
    cache.commit(page, false);
    pages.push_back(text);
  }
  return pages;
}

void report(benchmark::State& state, std::size_t bytes, std::size_t samples) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.SetItemsProcessed(static_cast<std::int64_t>(samples));
}

/// Reads `pages` in turn with one cache.
void read_in_turn(benchmark::State& state, const std::vector<std::string>& pages, bool forget) {
  if (pages.empty()) {
    state.SkipWithError("no ../shared/recordings/node.tar.zst");
    return;
  }
  LayoutPool pool;
  SeriesCache cache(pool);
  ScrapedPage page;
  PageFault fault;
  std::size_t bytes = 0;
  std::size_t samples = 0;
  std::size_t turn = 0;
  for (auto _ : state) {
    const std::string& text = pages[turn++ % pages.size()];
    if (!cache.read(text, PageFormat::text, page, fault)) state.SkipWithError(describe_fault(fault, text).c_str());
    for (std::uint32_t i : page.fresh) page.refs[i] = i + 1;
    if (!forget) cache.commit(page, false);
    benchmark::DoNotOptimize(page.values.data());
    bytes += text.size();
    samples += page.values.size();
  }
  report(state, bytes, samples);
  state.counters["series"] = static_cast<double>(page.values.size());
  state.counters["cache_bytes_per_series"] =
      static_cast<double>(pool.bytes() + cache.bytes()) / static_cast<double>(page.values.size());
}

void BM_ReadUnchangedLayout(benchmark::State& state) { read_in_turn(state, pages_of_one_layout(), false); }
BENCHMARK(BM_ReadUnchangedLayout);

void BM_ReadUnknownPage(benchmark::State& state) { read_in_turn(state, node_pages(), true); }
BENCHMARK(BM_ReadUnknownPage);

/// Every second page has its lines the other way round.
void BM_ReadReversedLayout(benchmark::State& state) {
  std::vector<std::string> pages;
  if (!node_pages().empty()) {
    std::string forward;
    std::string backward;
    std::string_view text = node_pages().front();
    while (!text.empty()) {
      const auto end = text.find('\n') + 1;
      if (text.front() != '#') {
        forward.append(text.substr(0, end));
        backward.insert(0, text.substr(0, end));
      }
      text.remove_prefix(end);
    }
    pages = {forward, backward};
  }
  read_in_turn(state, pages, false);
}
BENCHMARK(BM_ReadReversedLayout);

/// The numbers of a page alone, against the standard library.
std::vector<std::string> page_numbers() {
  std::vector<std::string> out;
  if (node_pages().empty()) return out;
  LayoutPool pool;
  ScrapedPage page;
  PageFault fault;
  const std::string& text = node_pages().front();
  if (!SeriesCache(pool).read(text, PageFormat::text, page, fault)) return out;
  for (const auto& line : page.lines)
    out.push_back(text.substr(line.value, text.find('\n', line.value) + 1 - line.value));
  return out;
}

void BM_Numbers(benchmark::State& state) {
  const auto numbers = page_numbers();
  const bool own = state.range(0) == 1;
  SampleTail tail;
  PageFault fault;
  std::size_t samples = 0;
  for (auto _ : state) {
    for (const std::string& number : numbers) {
      if (own) {
        benchmark::DoNotOptimize(read_sample_tail(number.data(), tail, fault));
      } else {
        benchmark::DoNotOptimize(std::from_chars(number.data(), number.data() + number.size(), tail.value));
      }
    }
    samples += numbers.size();
  }
  report(state, 0, samples);
}
BENCHMARK(BM_Numbers)->ArgName("own")->Arg(0)->Arg(1);

}  // namespace
}  // namespace pipit
