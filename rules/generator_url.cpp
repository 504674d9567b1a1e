#include "rules/generator_url.h"

namespace pipit {

std::string generator_url(std::string_view external_url, std::string_view expression) {
  std::string url(external_url);
  url += "/graph?g0.expr=";
  for (const char c : expression) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      url += c;
    } else if (c == ' ') {
      url += '+';
    } else {
      constexpr char kDigits[] = "0123456789ABCDEF";
      url += '%';
      url += kDigits[static_cast<unsigned char>(c) >> 4];
      url += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return url + "&g0.tab=1";
}

}  // namespace pipit
