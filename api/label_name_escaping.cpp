#include "api/label_name_escaping.h"

#include <charconv>
#include <cstdint>

namespace pipit {
namespace {

bool is_code_point(std::uint32_t c) { return c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff); }

void append_utf8(std::string& out, std::uint32_t c) {
  auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xc0 | c >> 6);
    push(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    push(0xe0 | c >> 12);
    push(0x80 | (c >> 6 & 0x3f));
    push(0x80 | (c & 0x3f));
  } else {
    push(0xf0 | c >> 18);
    push(0x80 | (c >> 12 & 0x3f));
    push(0x80 | (c >> 6 & 0x3f));
    push(0x80 | (c & 0x3f));
  }
}

}  // namespace

std::string unescape_label_name(std::string_view name) {
  constexpr std::string_view kMark = "U__";
  if (!name.starts_with(kMark)) return std::string(name);
  std::string out;
  std::string_view rest = name.substr(kMark.size());
  while (!rest.empty()) {
    if (rest[0] != '_') {
      out.push_back(rest[0]);
      rest.remove_prefix(1);
      continue;
    }
    if (rest.starts_with("__")) {
      out.push_back('_');
      rest.remove_prefix(2);
      continue;
    }
    std::size_t end = rest.find('_', 1);
    std::uint32_t code = 0;
    if (end == std::string_view::npos || end > 7) return std::string(name);
    auto [stop, error] = std::from_chars(rest.data() + 1, rest.data() + end, code, 16);
    if (error != std::errc() || stop != rest.data() + end || !is_code_point(code)) return std::string(name);
    append_utf8(out, code);
    rest.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace pipit
