#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/chunk.h"
#include "storage/coding.h"
#include "storage/decimal.h"

namespace pipit {

// Parts of a chunk's body, for what reads one. Functions are false or empty when the bytes are damaged.

inline Error damaged_chunk(std::string_view what) { return internal_error("damaged chunk: " + std::string(what)); }

inline ValueEncoding encoding_of(const ChunkHeader& header) { return static_cast<ValueEncoding>(header.layout & 0x0f); }

/// How far the times are apart of a chunk that lists none, 0 for a single one.
std::optional<std::uint64_t> even_step(const ChunkHeader& header);

/// Writes all times to `out` and moves `body`, at the body's start, on to the values.
bool decode_times(const ChunkHeader& header, ByteReader& body, TimestampMs* out);

/// What stands before the tokens of decimal values.
struct DecimalHead {
  std::uint8_t scale = 0;
  std::uint64_t unit = 1;
  std::uint64_t base = 0;  ///< the integer that the first token counts on from
};

inline bool read_decimal_head(ByteReader& values, bool with_unit, DecimalHead& head) {
  if (!values.byte(head.scale) || head.scale > kMaxDecimalScale) return false;
  if (!with_unit) return true;
  if (!values.varint(head.unit) || !values.varint(head.base)) return false;
  head.base = unzigzag(head.base);
  return true;
}

}  // namespace pipit
