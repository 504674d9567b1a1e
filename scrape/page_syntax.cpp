#include "scrape/page_syntax.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "model/number.h"
#include "model/sample.h"

namespace pipit {
namespace {

/// The text at `p` for a message: up to the end of its line, shortened.
std::string excerpt(const char* p, const char* end) {
  constexpr std::ptrdiff_t kLongest = 40;
  if (p >= end) return "the end of the page";
  const char* stop = p;
  while (stop < end && *stop != '\n' && stop - p < kLongest) ++stop;
  if (stop == p) return "the end of the line";
  std::string out;
  append_quoted(out, std::string_view(p, stop));
  return out;
}

}  // namespace

const char* skip_quoted(const char* p, const char* end) {
  for (++p; p < end; ++p) {
    if (*p == '"') return p + 1;
    if (*p == '\\' && (++p == end || *p == '\n')) return nullptr;
  }
  return nullptr;
}

bool fail_page(PageFault& fault, const char* at, const char* end, std::string_view expected) {
  fault.at = at;
  fault.what = std::string(expected) + ", got " + excerpt(at, end);
  return false;
}

bool parse_sample_value(std::string_view word, double& value) {
  if (word.empty()) return false;
  const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
    return is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
  });
  if (!plain) {
    if (word.find_first_of("pPxX_") != std::string_view::npos) return false;
    auto parsed = parse_float(word);
    if (!parsed) return false;
    value = std::isnan(*parsed) ? normal_nan() : *parsed;
    return true;
  }
  const char* begin = word.data() + static_cast<int>(word.front() == '+');
  const char* end = word.data() + word.size();
  if (word.front() == '+' && begin != end && *begin == '-') return false;
  auto [stop, error] = std::from_chars(begin, end, value);
  if (stop != end) return false;
  if (error == std::errc::result_out_of_range) {
    // Too small is zero, too large is an error; from_chars does not say which.
    value = std::strtod(std::string(begin, end).c_str(), nullptr);
    return std::isfinite(value);
  }
  return error == std::errc();
}

}  // namespace pipit
