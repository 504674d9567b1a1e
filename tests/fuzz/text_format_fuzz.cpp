// Two pages of a target, one after the other: whatever they hold, nothing may crash, and what the cache makes of the
// second must be what a reader without a memory makes of it.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "scrape/series_cache.h"

namespace {

using pipit::ScrapedPage;

std::string ended(std::string_view text) {
  std::string page(text);
  if (!page.empty() && page.back() != '\n') page += '\n';
  return page;
}

void require(bool condition) {
  if (!condition) std::abort();
}

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto cut = std::min(input.find('\x01'), input.size());
  const std::string first = ended(input.substr(0, cut));
  const std::string second = ended(input.substr(std::min(cut + 1, input.size())));

  pipit::LayoutPool pool;
  pipit::SeriesCache warm(pool);
  pipit::PageFault fault;
  ScrapedPage page;
  if (warm.read(first, page, fault)) {
    for (std::uint32_t i : page.fresh) page.refs[i] = i + 1;
    for (std::size_t i = 0; i < page.refs.size(); ++i) pipit::Labels(pipit::parse_series(page.series_text(i)));
    warm.commit(page, false);
  } else {
    pipit::describe_fault(fault, first);
  }

  const bool warm_ok = warm.read(second, page, fault);
  ScrapedPage cold_page;
  pipit::PageFault cold_fault;
  const bool cold_ok = pipit::SeriesCache(pool).read(second, cold_page, cold_fault);
  require(warm_ok == cold_ok);
  if (!cold_ok) {
    require(pipit::describe_fault(fault, second) == pipit::describe_fault(cold_fault, second));
    return 0;
  }
  require(page.values.size() == cold_page.values.size() && page.times == cold_page.times);
  for (std::size_t i = 0; i < page.values.size(); ++i) {
    require(same(page.values[i], cold_page.values[i]));
    require(page.series_text(i) == cold_page.series_text(i));
    // A series that the cache knew is the one of the same text.
    if (page.refs[i] != pipit::kNoSeries) {
      require(first.find(page.series_text(i)) != std::string::npos);
    }
  }
  std::vector<pipit::SeriesRef> gone;
  for (std::uint32_t i : page.fresh) page.refs[i] = 1'000'000 + i;
  warm.vanished(page, gone);
  warm.commit(page, false);
  require(warm.size() == page.values.size());
  require(warm.read(second, page, fault) && page.fresh.empty());
  return 0;
}
