#pragma once

#include <zlib.h>

#include <cstdint>
#include <string_view>

namespace pipit {

// The bytes of the queue's files, docs/remote-write.md.

/// Stands at the start of a segment.
inline constexpr std::string_view kSegmentMagic = "pipitrw1";
/// Before each record: its length and its CRC-32, 4 bytes each, little endian.
inline constexpr std::size_t kFrameHeader = 8;
/// A record is a write-ahead record of samples (storage/log_record.h) with ids and values of its own, or:
inline constexpr char kExemplarRecord = 16;
/// More in one record is damage: a commit has far fewer samples.
inline constexpr std::uint32_t kLargestRecord = 256u << 20;

inline std::uint32_t queue_checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

}  // namespace pipit
