#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/metadata.h"

namespace pipit {

/// Where a page breaks the format, and how. `at` points into the page.
struct PageFault {
  const char* at = nullptr;
  std::string what;
};

/// "line 12: what". REQUIRES: fault.at lies in `page` or at its end.
std::string describe_fault(const PageFault& fault, std::string_view page);

/// A HELP, TYPE or UNIT line; the views point into the page.
struct MetadataLine {
  enum class Kind { help, type, unit };

  std::string_view metric;  ///< without quotes, escapes still in place
  Kind kind = Kind::help;
  MetricType type = MetricType::unknown;
  std::string_view text;  ///< the help, escapes still in place, or the unit
};

/// Undoes `\\` and `\n` (and `\"` when `quotes`); other backslashes stay as they are, as in Prometheus.
std::string unescape_text(std::string_view text, bool quotes);

/// The series of a sample line.
struct SeriesText {
  const char* begin = nullptr;  ///< null when the page ended without another sample
  const char* end = nullptr;    ///< one past the name or the closing brace
};

/// Moves over comments, metadata and blank lines from `p`, the start of a line, to the next sample line and over its
/// series, checking both. Metadata lines are appended to `metadata`. False with `fault` filled when the text is not
/// text format 0.0.4 (or 1.0.0: names in quotes) as Prometheus's scraper takes it.
/// REQUIRES: the text ends with a newline, at `end` - 1.
bool scan_series(const char* p, const char* end, std::vector<MetadataLine>& metadata, SeriesText& series,
                 PageFault& fault);

/// The labels of a series text that `scan_series` has accepted, in page order, `__name__` first, empty values and
/// duplicate names included.
std::vector<Label> parse_series(std::string_view series);

}  // namespace pipit
