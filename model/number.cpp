#include "model/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>

namespace pipit {

namespace {

bool append_special(std::string& out, double v) {
  if (std::isnan(v)) {
    out += "NaN";
  } else if (std::isinf(v)) {
    out += v > 0 ? "+Inf" : "-Inf";
  } else {
    return false;
  }
  return true;
}

void append_scientific(std::string& out, double v) {
  char buffer[32];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific).ptr);
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] | 0x20) != lower[i]) return false;
  }
  return true;
}

/// Decides what from_chars leaves open: whether a number out of range is too large or rounds to zero.
std::optional<double> parse_out_of_range(std::string_view digits) {
  const double v = std::strtod(std::string(digits).c_str(), nullptr);
  if (std::isinf(v)) return std::nullopt;
  return v;
}

std::optional<double> parse_hexadecimal(std::string_view digits) {
  // Go wants the exponent that C's hexadecimal floats may leave out.
  if (digits.find_first_of("pP") == std::string_view::npos) return std::nullopt;
  double v = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v, std::chars_format::hex);
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return parse_out_of_range("0x" + std::string(digits));
  if (error != std::errc()) return std::nullopt;
  return v;
}

std::optional<double> parse_unsigned(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  const char first = digits[0];
  if ((first | 0x20) == 'i') {
    if (equal_ignoring_case(digits, "inf") || equal_ignoring_case(digits, "infinity")) {
      return std::numeric_limits<double>::infinity();
    }
    return std::nullopt;
  }
  if ((first < '0' || first > '9') && first != '.') return std::nullopt;
  if (digits.size() > 2 && first == '0' && (digits[1] | 0x20) == 'x') return parse_hexadecimal(digits.substr(2));
  double v = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v);
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return parse_out_of_range(digits);
  if (error != std::errc()) return std::nullopt;
  return v;
}

}  // namespace

void append_float(std::string& out, double v) {
  if (append_special(out, v)) return;
  char buffer[352];                                    // the longest is the smallest subnormal: 0. and 324 digits
  constexpr double kExactIntegers = 9007199254740992;  // 2^53
  if (std::fabs(v) < kExactIntegers) {
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::fixed).ptr);
    return;
  }
  // The fixed form of to_chars gives all digits of the binary value here, where Go ends the shortest ones with zeros.
  char* const end = std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific).ptr;
  char* const mark = std::find(buffer, end, 'e');
  std::size_t exponent = 0;
  std::from_chars(mark + 2, end, exponent);  // behind "e+"
  if (v < 0) out += '-';
  const std::size_t digits_at = out.size();
  std::copy_if(&buffer[0], mark, std::back_inserter(out), [](char c) { return c >= '0' && c <= '9'; });
  out.resize(std::max(out.size(), digits_at + exponent + 1), '0');
}

void append_api_float(std::string& out, double v) {
  const double magnitude = std::fabs(v);
  if (magnitude == 0 || !(magnitude < 1e-6 || (magnitude >= 1e21 && std::isfinite(v)))) return append_float(out, v);
  append_scientific(out, v);
}

std::string format_float_g(double v) {
  std::string out;
  if (append_special(out, v)) return out;
  const double magnitude = std::fabs(v);
  if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e6)) {
    append_scientific(out, v);
  } else {
    append_float(out, v);
  }
  return out;
}

std::optional<double> parse_float(std::string_view text) {
  if (equal_ignoring_case(text, "nan")) return std::numeric_limits<double>::quiet_NaN();
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  auto v = parse_unsigned(text);
  if (v && negative) *v = -*v;
  return v;
}

}  // namespace pipit
