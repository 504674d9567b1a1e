#pragma once

#include <cstdint>

#include "model/sample.h"
#include "scrape/text_format.h"

namespace pipit {

/// Powers of ten that a double holds exactly.
inline constexpr double kExactPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// Reads a decimal number whose digits and power of ten are both exact as doubles, so that one multiplication or
/// division rounds correctly (Clinger's fast path). Returns one past its last byte, or null when the text is not
/// such a number: it may still be one that `parse_sample_value` understands.
/// REQUIRES: a byte that is no part of a number follows somewhere (a page ends with a newline).
inline const char* read_exact_decimal(const char* p, double& value) {
  constexpr std::uint64_t kMaxExactInteger = 1ULL << 53;
  const bool negative = *p == '-';
  p += static_cast<int>(negative || *p == '+');
  std::uint64_t mantissa = 0;
  const char* start = p;
  for (unsigned digit; (digit = static_cast<unsigned char>(*p) - '0') < 10; ++p) mantissa = mantissa * 10 + digit;
  auto digits = p - start;
  std::int64_t exponent = 0;
  if (*p == '.') {
    start = ++p;
    for (unsigned digit; (digit = static_cast<unsigned char>(*p) - '0') < 10; ++p) mantissa = mantissa * 10 + digit;
    exponent = start - p;
    digits += p - start;
  }
  if (digits == 0 || digits > 19 || mantissa > kMaxExactInteger) return nullptr;  // 20 digits may have wrapped around
  if (*p == 'e' || *p == 'E') {
    ++p;
    const bool negative_exponent = *p == '-';
    p += static_cast<int>(negative_exponent || *p == '+');
    start = p;
    std::int64_t written = 0;
    for (unsigned digit; (digit = static_cast<unsigned char>(*p) - '0') < 10 && p - start < 4; ++p) {
      written = written * 10 + digit;
    }
    if (p == start) return nullptr;
    exponent += negative_exponent ? -written : written;
  }
  auto magnitude = static_cast<double>(mantissa);
  if (exponent < 0) {
    if (exponent < -22) return nullptr;
    magnitude /= kExactPowersOfTen[-exponent];
  } else {
    if (exponent > 22) return nullptr;
    magnitude *= kExactPowersOfTen[exponent];
  }
  value = negative ? -magnitude : magnitude;
  return p;
}

/// What follows the value of an OpenMetrics sample behind a `#`. The view points into the page.
struct ExemplarText {
  std::string_view labels;  ///< with their braces
  double value = 0;
  TimestampMs time = 0;  ///< meaningless unless has_time
  bool has_time = false;
};

/// What follows the series in a line of a page.
struct SampleTail {
  double value = 0;
  TimestampMs time = 0;  ///< meaningless unless has_time
  bool has_time = false;
  bool has_exemplar = false;
  ExemplarText exemplar;  ///< meaningless unless has_exemplar
};

/// Reads the rest of a line from behind the series: blanks, value, optional timestamp, newline. Returns the start of
/// the next line, or null with `fault` filled. REQUIRES: a newline at or after p.
const char* parse_sample_tail(const char* p, SampleTail& tail, PageFault& fault);

/// The common case, a short decimal and the end of the line, inline. Returns the start of the next line, or null when
/// it is anything else.
inline const char* read_plain_tail(const char* p, SampleTail& tail) {
  const char* end = read_exact_decimal(p, tail.value);
  if (end == nullptr || *end != '\n') return nullptr;
  tail.has_time = false;
  tail.has_exemplar = false;
  return end + 1;
}

/// `parse_sample_tail` with the common case inline.
inline const char* read_sample_tail(const char* p, SampleTail& tail, PageFault& fault) {
  const char* next = read_plain_tail(p, tail);
  return next != nullptr ? next : parse_sample_tail(p, tail, fault);
}

}  // namespace pipit
