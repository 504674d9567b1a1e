#pragma once

#include <string>
#include <string_view>

namespace pipit {

/// The page that shows an expression's answer as a table.
std::string generator_url(std::string_view external_url, std::string_view expression);

}  // namespace pipit
