#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "scrape/text_format.h"

namespace pipit {

/// What OpenMetrics 1.0 has to say against a page.
struct PageJudgement {
  std::optional<PageFault> syntax;  ///< why a scrape of the page fails; nothing behind it is judged
  std::vector<PageFault> meaning;   ///< what a scrape takes all the same, in page order, kMostFaults at most
  std::size_t meaning_count = 0;    ///< all of them

  static constexpr std::size_t kMostFaults = 100;
  bool ok() const { return !syntax && meaning_count == 0; }
};

/// Judges a page by the standard's whole text: how samples may be grouped and ordered, which names, labels, values and
/// exemplars a type allows, and what a histogram needs. Unlike scraping this hashes and allocates: it is for
/// `pipit check metrics`, and for pages whose layout is new.
/// REQUIRES: the page is empty or ends with a newline.
PageJudgement judge_openmetrics(std::string_view page);

}  // namespace pipit
