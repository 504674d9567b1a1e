// Source of the format: RocksDB's db/log_format.h. Blocks of 32 KB; in a block records of checksum(4), length(2),
// type(1) and bytes, little endian; a record never crosses a block's end, where less than a header's bytes are padding.

#include "storage/log_check.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace pipit {
namespace {

constexpr std::size_t kBlock = 32768;
constexpr std::size_t kHeader = 7;
constexpr std::uint8_t kLastType = 4;  // full, first, middle, last; other types RocksDB is not asked to write

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

std::uint32_t crc32c_in_table(const std::uint8_t* bytes, std::size_t size) {
  std::uint32_t crc = 0xffffffffU;
  for (std::size_t i = 0; i < size; ++i) crc = crc >> 8 ^ kCrcTable[(crc ^ bytes[i]) & 0xff];
  return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) std::uint32_t crc32c_in_hardware(const std::uint8_t* bytes, std::size_t size) {
  std::uint64_t crc = 0xffffffffU;
  for (; size >= 8; size -= 8, bytes += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    crc = __builtin_ia32_crc32di(crc, word);
  }
  for (; size > 0; --size, ++bytes) crc = __builtin_ia32_crc32qi(static_cast<std::uint32_t>(crc), *bytes);
  return ~static_cast<std::uint32_t>(crc);
}
#endif

std::uint32_t crc32c(const std::uint8_t* bytes, std::size_t size) {
#ifdef __x86_64__
  static const bool in_hardware = __builtin_cpu_supports("sse4.2") != 0;
  if (in_hardware) return crc32c_in_hardware(bytes, size);
#endif
  return crc32c_in_table(bytes, size);
}

/// The bytes of a record with its header, or 0 when there is none at this place.
std::size_t record_size(std::string_view block, std::size_t at) {
  if (block.size() - at < kHeader) return 0;
  const auto* header = reinterpret_cast<const std::uint8_t*>(block.data()) + at;
  const std::size_t length = header[4] | header[5] << 8;
  if (header[6] == 0 || header[6] > kLastType || length > block.size() - at - kHeader) return 0;
  std::uint32_t stored;
  std::memcpy(&stored, header, sizeof stored);
  const std::uint32_t rotated = stored - 0xa282ead8U;  // the checksum covers the type, too
  return (rotated >> 17 | rotated << 15) == crc32c(header + 6, length + 1) ? kHeader + length : 0;
}

/// Where the records of a block end.
std::size_t end_of_records(std::string_view block) {
  std::size_t at = 0;
  for (std::size_t size; (size = record_size(block, at)) != 0; at += size) continue;
  return at;
}

bool has_record_after(std::string_view block, std::size_t at) {
  for (++at; at + kHeader <= block.size(); ++at) {
    if (record_size(block, at) != 0) return true;
  }
  return false;
}

}  // namespace

Result<std::optional<LogDamage>> find_log_damage(const std::filesystem::path& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> input(std::fopen(file.c_str(), "rbe"), std::fclose);
  const auto unreadable = [&] {
    return Error{ErrorKind::unavailable, "can't read " + file.string() + ": " + std::strerror(errno)};
  };
  if (!input) return unreadable();
  std::optional<LogDamage> stopped;
  std::string block(kBlock, '\0');
  for (std::uint64_t start = 0;; start += kBlock) {
    const std::size_t size = std::fread(block.data(), 1, kBlock, input.get());
    if (std::ferror(input.get()) != 0) return unreadable();
    const std::string_view bytes(block.data(), size);
    if (stopped) {
      stopped->goes_on = record_size(bytes, 0) != 0;  // every block begins with a record
    } else if (const std::size_t end = end_of_records(bytes); size - end >= (size == kBlock ? kHeader : 1)) {
      stopped = LogDamage{start + end, has_record_after(bytes, end)};
    }
    if (size < kBlock || (stopped && stopped->goes_on)) return stopped;
  }
}

}  // namespace pipit
