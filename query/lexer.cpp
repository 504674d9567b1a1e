#include "query/lexer.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "model/labels.h"

namespace pipit {
namespace {

struct Keyword {
  std::string_view word;
  Tok token;
};

// Sorted by word. "inf" and "nan" are numbers.
constexpr Keyword kKeywords[] = {
    {"anchored", Tok::anchored},
    {"and", Tok::land},
    {"atan2", Tok::atan2},
    {"avg", Tok::avg},
    {"bool", Tok::bool_},
    {"bottomk", Tok::bottomk},
    {"by", Tok::by},
    {"count", Tok::count},
    {"count_values", Tok::count_values},
    {"end", Tok::end},
    {"fill", Tok::fill},
    {"fill_left", Tok::fill_left},
    {"fill_right", Tok::fill_right},
    {"group", Tok::group},
    {"group_left", Tok::group_left},
    {"group_right", Tok::group_right},
    {"ignoring", Tok::ignoring},
    {"inf", Tok::number},
    {"limit_ratio", Tok::limit_ratio},
    {"limitk", Tok::limitk},
    {"max", Tok::max},
    {"max_of", Tok::max_of},
    {"min", Tok::min},
    {"min_of", Tok::min_of},
    {"nan", Tok::number},
    {"offset", Tok::offset},
    {"on", Tok::on},
    {"or", Tok::lor},
    {"quantile", Tok::quantile},
    {"range", Tok::range},
    {"smoothed", Tok::smoothed},
    {"start", Tok::start},
    {"stddev", Tok::stddev},
    {"stdvar", Tok::stdvar},
    {"step", Tok::step},
    {"sum", Tok::sum},
    {"topk", Tok::topk},
    {"unless", Tok::lunless},
    {"without", Tok::without},
};
static_assert(std::ranges::is_sorted(kKeywords, {}, &Keyword::word));
constexpr std::size_t kLongestKeyword = 12;

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

// Longer texts are cut to ten code points.
std::string quoted_start(std::string_view text) {
  constexpr std::size_t kShown = 10;
  if (text.size() <= kShown) return quoted(text);
  std::size_t bytes = 0;
  for (std::size_t shown = 0; shown < kShown && bytes < text.size(); ++shown) {
    ++bytes;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) ++bytes;
  }
  return quoted(text.substr(0, bytes)) + "...";
}

bool is_printable(char32_t c) {
  if (c < 0x80) return c >= 0x20 && c != 0x7f;
  return c > 0xa0 && c != 0xad && c != 0xfeff && c != 0x2028 && c != 0x2029;
}

}  // namespace

Tok keyword_or(std::string_view word, Tok otherwise) {
  if (word.size() > kLongestKeyword) return otherwise;
  char lower[kLongestKeyword];
  std::ranges::transform(word, lower, [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  std::string_view key(lower, word.size());
  const auto* found = std::ranges::lower_bound(kKeywords, key, {}, &Keyword::word);
  return found != std::end(kKeywords) && found->word == key ? found->token : otherwise;
}

std::string describe(const TokenSequence& sequence, const Token& token) {
  auto text = sequence.text(token);
  switch (token.kind) {
    case Tok::eof:
      return "end of input";
    case Tok::error:
      return sequence.error;
    case Tok::identifier:
      return "identifier " + quoted(text);
    case Tok::metric_identifier:
      return "metric identifier " + quoted(text);
    case Tok::string:
      return "string " + quoted_start(text);
    case Tok::number:
      return "number " + quoted_start(text);
    case Tok::duration:
      return "duration " + quoted_start(text);
    default:
      break;
  }
  auto in_angles = [&](std::string_view prefix) { return std::string("<").append(prefix).append(text).append(">"); };
  if (token.kind >= Tok::add && token.kind <= Tok::at) return in_angles("op:");
  if (token.kind >= Tok::sum && token.kind <= Tok::limit_ratio) return in_angles("aggr:");
  if (token.kind >= Tok::offset && token.kind <= Tok::bool_) return in_angles("");
  return quoted(text);
}

std::string quote_code_point(char32_t c) {
  static constexpr std::string_view kEscapable = "\a\b\f\n\r\t\v\\'";
  static constexpr std::string_view kEscapes = "abfnrtv\\'";
  if (auto at = c < 0x80 ? kEscapable.find(static_cast<char>(c)) : std::string_view::npos;
      at != std::string_view::npos && c != 0) {
    return std::string("'\\") + kEscapes[at] + "'";
  }
  std::string out = "'";
  if (is_printable(c)) {
    append_utf8(out, c);
  } else {
    char escaped[16];
    std::snprintf(escaped, sizeof escaped,
                  c < 0x80      ? "\\x%02x"
                  : c < 0x10000 ? "\\u%04x"
                                : "\\U%08x",
                  static_cast<unsigned>(c));
    out += escaped;
  }
  return out + "'";
}

std::string number_code_point(char32_t c) {
  char number[16];
  std::snprintf(number, sizeof number, "U+%04X", static_cast<unsigned>(c));
  std::string out = number;
  if (is_printable(c)) {
    out += " '";
    append_utf8(out, c);
    out += '\'';
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  int continuation = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static constexpr unsigned kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out += static_cast<char>(kLead[continuation] | (c >> (6 * continuation)));
  while (continuation-- > 0) out += static_cast<char>(0x80 | ((c >> (6 * continuation)) & 0x3f));
}

}  // namespace pipit
