#pragma once

#include <string>
#include <string_view>

namespace pipit {

/// As Go's url.QueryEscape: letters, digits and -_.~ stay, a blank becomes `+`, all else %XX.
void append_query_escaped(std::string& out, std::string_view text);
/// As Go prints url.URL.Path; begins with '/'.
std::string escape_path(std::string_view path);
/// %XX as the byte that it stands for; what is no such triple stays.
std::string percent_decoded(std::string_view text);

}  // namespace pipit
