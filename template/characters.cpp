#include "template/characters.h"

#include <clocale>
#include <cwctype>

#include "model/labels.h"

namespace pipit {
namespace {

constexpr char32_t kReplacement = 0xfffd;

/// Part of the C library: no file is read.
locale_t unicode() {
  static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

template <class Ask>
auto ask(char32_t character, Ask of_unicode, decltype(of_unicode(wint_t{}, locale_t{})) otherwise) {
  return unicode() == nullptr ? otherwise : of_unicode(static_cast<wint_t>(character), unicode());
}

template <class Change>
std::string changed(std::string_view text, Change change) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) append_character(out, change(next_character(text, at)));
  return out;
}

}  // namespace

char32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length > text.size() - at || !is_valid_utf8(text.substr(at, length))) {
    ++at;
    return kReplacement;
  }
  char32_t character = length == 1 ? first : first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) character = character << 6 | (byte(at + i) & 0x3fU);
  at += length;
  return character;
}

void append_character(std::string& out, char32_t character) {
  const auto byte = [&out](char32_t b) { out += static_cast<char>(b); };
  if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000)) character = kReplacement;
  if (character < 0x80) return byte(character);
  const int more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
  constexpr char32_t kFirst[] = {0, 0xc0, 0xe0, 0xf0};
  byte(kFirst[more] | character >> (6 * more));
  for (int i = more - 1; i >= 0; --i) byte(0x80 | (character >> (6 * i) & 0x3f));
}

char32_t upper_case(char32_t character) { return ask(character, ::towupper_l, character); }
char32_t lower_case(char32_t character) { return ask(character, ::towlower_l, character); }
std::string upper_case(std::string_view text) {
  return changed(text, [](char32_t character) { return upper_case(character); });
}
std::string lower_case(std::string_view text) {
  return changed(text, [](char32_t character) { return lower_case(character); });
}

bool is_letter_or_digit(char32_t character) { return ask(character, ::iswalnum_l, 0) != 0; }

bool is_printable(char32_t character) {
  if (character < 0x80) return character >= 0x20 && character != 0x7f;
  const auto is_between = [character](char32_t first, char32_t last) {
    return character >= first && character <= last;
  };
  const bool space = character == 0xa0 || character == 0x2007 || character == 0x202f;
  const bool mark = character == 0xad || is_between(0x200b, 0x200f) || is_between(0x202a, 0x202e) ||
                    is_between(0x2060, 0x206f) || character == 0xfeff || is_between(0xfff9, 0xfffb);
  return !space && !mark && ask(character, ::iswprint_l, 0) != 0 && ask(character, ::iswspace_l, 0) == 0;
}

}  // namespace pipit
