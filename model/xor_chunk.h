#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/sample.h"

namespace pipit {

// Prometheus's XOR chunks (tsdb/chunkenc/xor.go; after Facebook's Gorilla), as remote read streams them: two bytes of
// count, big endian, then bits. The first time and value are whole, then come deltas of deltas and XORed values.

/// More samples than that fit in no chunk.
inline constexpr std::size_t kMaxXorChunkSamples = 65'535;

/// Appends a chunk. REQUIRES: as many values as times, 1 to kMaxXorChunkSamples.
void encode_xor_chunk(std::span<const TimestampMs> times, std::span<const double> values, std::string& out);

/// Appends a chunk's samples. False when it is damaged; some may have been appended then.
bool decode_xor_chunk(std::string_view chunk, std::vector<TimestampMs>& times, std::vector<double>& values);

}  // namespace pipit
