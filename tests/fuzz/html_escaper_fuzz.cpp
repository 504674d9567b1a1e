// HTML of a template with hostile values in it: wherever a value stands, it must not end what it stands in. The first
// part of the input is the template's text, the second the value, which goes to wherever the text has a byte 1.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "template/html_escaper.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t split = input.find('\2');
  if (split == std::string_view::npos) return 0;
  std::string_view text = input.substr(0, split);
  const std::string value(input.substr(split + 1));
  pipit::HtmlEscaper escaper;
  while (!text.empty()) {
    const std::size_t end = text.find('\1');
    escaper.pass(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    const bool in_text = escaper.in_text();
    const auto out = escaper.escape(pipit::TemplateValue(value));
    if (!out.ok()) return 0;
    if (out->find('<') != std::string::npos || out->find('>') != std::string::npos) std::abort();
    if (out->find('"') != std::string::npos || out->find('\'') != std::string::npos) std::abort();
    if (escaper.in_text() != in_text) std::abort();
  }
  return 0;
}
