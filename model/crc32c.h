#pragma once

#include <cstdint>
#include <string_view>

namespace pipit {

/// CRC-32C (Castagnoli), as frames of streamed remote reads have it.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace pipit
