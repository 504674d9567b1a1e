#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pipit {

/// ` (did you mean "scrape_interval"?)` when one of `candidates` is near enough to `word` to be what was meant, else
/// "".
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace pipit
