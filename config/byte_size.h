#pragma once

#include <cstdint>
#include <string_view>

#include "model/result.h"

namespace pipit {

/// A size as Prometheus's configuration and flags write it: `512MB`, `1.5GiB`, `1GB512MB`, `0`. A unit is required;
/// all are powers of 1024, and KB is the same as KiB. Errors name the text.
Result<std::uint64_t> parse_byte_size(std::string_view text);

}  // namespace pipit
