#pragma once

#include <string_view>
#include <vector>

#include "scrape/text_format.h"

namespace pipit {

// What the readers of the formats have in common.

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_label_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_metric_start(char c) { return is_label_start(c) || c == ':'; }

inline const char* skip_metric_name(const char* p) {
  while (is_metric_start(*p) || is_digit(*p)) ++p;
  return p;
}

inline const char* skip_label_name(const char* p) {
  while (is_label_start(*p) || is_digit(*p)) ++p;
  return p;
}

/// One past the quote that closes the string which opens at `p`, or null. Newlines may stand inside, as in Prometheus.
const char* skip_quoted(const char* p, const char* end);

/// Fills `fault` with `expected` and what stands at `at`. Always false.
bool fail_page(PageFault& fault, const char* at, const char* end, std::string_view expected);

/// A number as Prometheus reads a value: Go's ParseFloat without hexadecimal and underscores. NaN is the ordinary one.
bool parse_sample_value(std::string_view word, double& value);

}  // namespace pipit
