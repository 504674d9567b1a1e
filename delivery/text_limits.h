#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pipit {

/// The bytes of the first character; 0 when it is not right UTF-8.
std::size_t utf8_length(std::string_view text);
std::size_t count_characters(std::string_view text);
/// At most `most` characters, the last of which says that there were more. What is not UTF-8 becomes U+FFFD.
std::string limit_characters(std::string_view text, std::size_t most);
/// The same of simple HTML, as chats understand it: neither a tag nor an entity is cut in two, and what is open is
/// closed. Tags count as characters.
std::string limit_html_characters(std::string_view text, std::size_t most);

}  // namespace pipit
