#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "scrape/sample_value.h"
#include "scrape/text_format.h"

namespace pipit {

// Reading OpenMetrics 1.0 as Prometheus's scraper does: strict in syntax, lenient in meaning. What a page means is
// judged by openmetrics_judge.h.

/// As `scan_series` of text_format.h. `series.begin` is null when the page has ended well: with `# EOF`.
bool scan_openmetrics_series(const char* p, const char* end, std::vector<MetadataLine>& metadata, SeriesText& series,
                             PageFault& fault);

/// Reads the rest of the line of `series` (blanks may follow it) from the value on. Returns the start of the next line,
/// or null with `fault` filled. REQUIRES: a newline at or after p, and `end` behind it.
const char* parse_openmetrics_tail(std::string_view series, const char* p, const char* end, SampleTail& tail,
                                   PageFault& fault);

/// What is wrong with a page that ends at `at` without `# EOF`. Always false.
bool fail_without_eof(const char* at, PageFault& fault);

/// The labels of an exemplar, as the page writes them in braces.
Labels parse_exemplar_labels(std::string_view braces);

}  // namespace pipit
