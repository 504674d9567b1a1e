#pragma once

#include <string>
#include <string_view>

namespace pipit {

/// The character at `at`, behind which `at` then stands: U+FFFD, and one byte, for what is not UTF-8.
/// REQUIRES: `at` is within the text.
char32_t next_character(std::string_view text, std::size_t& at);
/// As UTF-8; U+FFFD for what is no character.
void append_character(std::string& out, char32_t character);

// Of all alphabets, whatever the process's locale is.
char32_t upper_case(char32_t character);
char32_t lower_case(char32_t character);
std::string upper_case(std::string_view text);
std::string lower_case(std::string_view text);
bool is_letter_or_digit(char32_t character);
/// As Go's strconv.IsPrint: what %q shows as it is. Of spaces only that of ASCII is.
bool is_printable(char32_t character);

}  // namespace pipit
