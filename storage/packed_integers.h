#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pipit {

// A list of integers in about as many bits as their distribution needs, for chunks that are written once and read
// often. Bins of power-of-two widths cover the range; an integer is its bin's Huffman code and its offset within the
// bin. Noise costs what it must, outliers cost little, and whatever is frequent has a short code. Byte by byte:
// docs/storage.md. Arithmetic is modulo 2^64; a list's smallest integer is the smallest as signed.

/// No list is longer.
inline constexpr std::size_t kMaxPackedIntegers = 8192;
/// Longer codes would need a larger table than fits beside the data into the first-level cache.
inline constexpr unsigned kMaxCodeLength = 10;

inline constexpr unsigned kCodeLengthBits = 4;
/// Shorter lists have one stream, others four, which a processor reads side by side.
inline constexpr std::size_t kMinInterleaved = 256;
inline constexpr std::size_t kPackedStreams = 4;
constexpr std::size_t packed_streams_of(std::size_t count) { return count < kMinInterleaved ? 1 : kPackedStreams; }

/// How many codes there are of each length.
using CodeCounts = std::array<std::uint32_t, kMaxCodeLength + 1>;

/// The first code of each length. Codes ascend by length, then by bin.
inline CodeCounts first_codes(const CodeCounts& of_length) {
  CodeCounts first{};
  for (unsigned l = 2; l <= kMaxCodeLength; ++l) first[l] = (first[l - 1] + of_length[l - 1]) << 1;
  return first;
}

/// A code as it stands in a stream, where the first bit is the lowest.
inline std::uint32_t reversed_code(std::uint32_t code, unsigned length) {
  std::uint32_t result = 0;
  for (unsigned i = 0; i < length; ++i) result |= (code >> i & 1) << (length - 1 - i);
  return result;
}

}  // namespace pipit
