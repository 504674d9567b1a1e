#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/sample_columns.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

// A chunk is one series' run of samples within one partition, as stored below its key. The key holds the first
// timestamp. Byte by byte: docs/storage.md. Open chunks of the head (open_chunk.h) are in the same format at any
// moment, so one decoder reads both.

/// The first byte of a chunk says what it holds; native histograms will be another one.
inline constexpr std::uint8_t kFloatChunk = 1;

/// How a chunk's values are stored: the low four bits of its layout byte.
enum class ValueEncoding : std::uint8_t {
  decimal = 0,       ///< deltas of integers n with value = n / 10^scale
  decimal_unit = 1,  ///< the same, deltas divided by a common factor
  bits = 2,          ///< deltas of the doubles' bit patterns
  raw = 3,           ///< eight bytes a value
  packed = 4,        ///< a summary and entropy-coded integers (packed_values.h)
};

/// Bit of the layout byte: timestamps are listed; otherwise they are evenly spaced.
inline constexpr std::uint8_t kListedTimes = 0x10;

/// No chunk is longer, so that damaged bytes can't ask for endless memory.
inline constexpr std::uint64_t kMaxChunkSamples = std::uint64_t{1} << 20;

struct ChunkHeader {
  std::uint32_t count = 0;
  TimestampMs start = 0;
  TimestampMs end = 0;
  std::uint8_t layout = 0;
  std::string_view body;  ///< of the bytes that were read
};

/// What a chunk says of its samples, stale markers aside, without their being decoded.
struct ChunkSummary {
  std::uint32_t count = 0;  ///< when it is the header's, the first and last sample are at the chunk's start and end
  double first = 0;
  double last = 0;
  double min = 0;
  double max = 0;
  std::uint32_t changes = 0;  ///< samples that differ from the one before
  std::uint32_t resets = 0;   ///< samples that are less than the one before
  std::optional<double> sum;  ///< where doubles add up to it in any order
};

class PackedValuesEncoder;

/// REQUIRES: the same number of times and values, at least one, times strictly increasing.
/// Chooses the smallest encoding; `scale_hint`, when given, gets the decimal scale it found.
std::string encode_chunk(std::span<const TimestampMs> times, std::span<const double> values, int* scale_hint = nullptr);

/// The same for a chunk that is written once and read often: smaller, summarised, and several times as long in the
/// making. REQUIRES: at most kMaxMergedSamples samples besides.
std::string encode_merged_chunk(std::span<const TimestampMs> times, std::span<const double> values,
                                PackedValuesEncoder& encoder);
inline constexpr std::size_t kMaxMergedSamples = 8192;

/// Errors: internal when the bytes are no chunk, or one of a type that this version does not know.
Result<ChunkHeader> read_chunk_header(std::string_view chunk, TimestampMs start);

/// Appends the chunk's samples to both vectors. Errors: internal when the bytes are damaged; the vectors
/// then hold what they held before.
Status decode_chunk(const ChunkHeader& header, TimeColumn& times, ValueColumn& values);
Status decode_chunk(std::string_view chunk, TimestampMs start, TimeColumn& times,
                    ValueColumn& values);

/// Empty when a number that isn't plain is among the values (NaN, an infinity, -0, or a decimal too long for the
/// others' scale) or nothing but stale markers. Errors: internal when the bytes are damaged.
Result<std::optional<ChunkSummary>> summarize_chunk(const ChunkHeader& header);

/// The same where the chunk has it written down. Empty for other chunks, too.
Result<std::optional<ChunkSummary>> stored_summary(const ChunkHeader& header);

}  // namespace pipit
