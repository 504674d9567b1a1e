#include "scrape/gzip.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstdint>

namespace pipit {
namespace {

/// The most that a byte of deflate can yield, rounded up.
constexpr std::size_t kMostYield = 1040;

/// The size that the last member says it has: a guess, as anybody may have written it.
std::size_t stated_size(std::string_view packed) {
  std::uint32_t size = 0;
  if (packed.size() < 4) return 0;
  for (std::size_t i = 0; i < 4; ++i) {
    size |= static_cast<std::uint32_t>(static_cast<unsigned char>(packed[packed.size() - 4 + i])) << (8 * i);
  }
  return size;
}

}  // namespace

void GzipReader::Free::operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }

Status GzipReader::unpack(std::string_view packed, std::size_t limit, PageBuffer& out) {
  if (!decompressor_) decompressor_.reset(libdeflate_alloc_decompressor());
  if (!decompressor_) return internal_error("no memory to unpack gzip");
  if (packed.empty()) return bad_data("gzip: the body is empty");
  while (!packed.empty()) {
    const std::size_t room_left = limit - std::min(limit, out.size());
    const std::size_t possible = std::min(room_left, packed.size() * kMostYield);
    std::size_t room = std::clamp(stated_size(packed), std::min<std::size_t>(possible, 4096), possible);
    for (;;) {
      out.reserve(out.size() + room + 1);  // one for the newline that ends a page
      std::size_t read = 0;
      std::size_t written = 0;
      auto result = libdeflate_gzip_decompress_ex(decompressor_.get(), packed.data(), packed.size(),
                                                  out.data() + out.size(), room, &read, &written);
      if (result == LIBDEFLATE_SUCCESS) {
        out.set_size(out.size() + written);
        packed.remove_prefix(read);
        break;
      }
      if (result != LIBDEFLATE_INSUFFICIENT_SPACE) return bad_data("gzip: the body is damaged or cut short");
      if (room >= room_left) return bad_data("body size limit exceeded");
      if (room >= possible) return bad_data("gzip: the body is damaged or cut short");
      room = std::min(possible, room * 2);
    }
  }
  return {};
}

}  // namespace pipit
