// Two pages of a target, one after the other, each in text format or, behind a byte 2, in OpenMetrics: whatever they hold,
// nothing may crash, and what the cache makes of the second must be what a reader without a memory makes of it. The judge
// of OpenMetrics must refuse what the reader refuses.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "scrape/openmetrics.h"
#include "scrape/openmetrics_judge.h"
#include "scrape/series_cache.h"
#include "scrape/target_metadata.h"

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

/// Takes the format off the front of the page.
pipit::PageFormat format_of(std::string& page) {
  if (page.empty() || page.front() != '\x02') return pipit::PageFormat::text;
  page.erase(0, 1);
  return pipit::PageFormat::openmetrics;
}

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto cut = std::min(input.find('\x01'), input.size());
  std::string first = ended(input.substr(0, cut));
  std::string second = ended(input.substr(std::min(cut + 1, input.size())));
  const pipit::PageFormat first_format = format_of(first);
  const pipit::PageFormat format = format_of(second);

  pipit::LayoutPool pool;
  pipit::SeriesCache warm(pool);
  pipit::PageFault fault;
  ScrapedPage page;
  if (warm.read(first, first_format, page, fault)) {
    for (std::uint32_t i : page.fresh) page.refs[i] = i + 1;
    for (std::size_t i = 0; i < page.refs.size(); ++i) pipit::Labels(pipit::parse_series(page.series_text(i)));
    warm.commit(page, false);
  } else {
    pipit::describe_fault(fault, first);
  }

  const bool warm_ok = warm.read(second, format, page, fault);
  ScrapedPage cold_page;
  pipit::PageFault cold_fault;
  const bool cold_ok = pipit::SeriesCache(pool).read(second, format, cold_page, cold_fault);
  require(warm_ok == cold_ok);
  if (format == pipit::PageFormat::openmetrics) {
    require(pipit::judge_openmetrics(second).syntax.has_value() != cold_ok);
    pipit::MetadataReader("").read(warm);
  }
  if (!cold_ok) {
    require(pipit::describe_fault(fault, second) == pipit::describe_fault(cold_fault, second));
    return 0;
  }
  require(page.values.size() == cold_page.values.size() && page.times == cold_page.times);
  require(page.exemplars.size() == cold_page.exemplars.size());
  for (const ScrapedPage::Exemplar& exemplar : page.exemplars) pipit::parse_exemplar_labels(exemplar.text.labels);
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
  require(warm.read(second, format, page, fault) && page.fresh.empty());
  return 0;
}
