#include "config/byte_size.h"

#include <array>
#include <cmath>
#include <string>

#include "model/number.h"

namespace pipit {

Result<std::uint64_t> parse_byte_size(std::string_view text) {
  const auto fail = [text](const std::string& what) {
    return bad_data("not a valid size: \"" + std::string(text) + "\": " + what +
                    "; write a number and one of the units B, KB, MB, GB, TB, PB, EB");
  };
  if (text == "0") return std::uint64_t{0};
  if (text.empty()) return fail("it is empty");
  static constexpr std::string_view kPrefixes = "KMGTPE";
  double total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::size_t digits = 0;
    while (digits < rest.size() && ((rest[digits] >= '0' && rest[digits] <= '9') || rest[digits] == '.')) ++digits;
    const auto number = parse_float(rest.substr(0, digits));
    if (!number) return fail("a number is missing");
    rest.remove_prefix(digits);
    double factor = 1;
    const std::size_t prefix = rest.empty() ? std::string_view::npos : kPrefixes.find(rest.front());
    if (prefix != std::string_view::npos) {
      factor = std::pow(1024.0, static_cast<double>(prefix + 1));
      rest.remove_prefix(1);
      if (!rest.empty() && rest.front() == 'i') rest.remove_prefix(1);
    }
    if (rest.empty() || rest.front() != 'B') return fail("the unit is missing or unknown");
    rest.remove_prefix(1);
    total += *number * factor;
  }
  if (total >= 9223372036854775808.0) return fail("it is out of range");
  return static_cast<std::uint64_t>(total);
}

}  // namespace pipit
