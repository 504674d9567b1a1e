#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace pipit {

/// Milliseconds since the Unix epoch; the resolution of Prometheus.
using TimestampMs = std::int64_t;
/// A length of time in milliseconds.
using DurationMs = std::int64_t;

inline constexpr TimestampMs kMinTimestamp = std::numeric_limits<TimestampMs>::min();
inline constexpr TimestampMs kMaxTimestamp = std::numeric_limits<TimestampMs>::max();

/// The NaN whose bits say "this series ended here" (Prometheus, model/value). It differs from the NaN that a
/// computation gives only in its payload, so values are compared and stored by their bits.
inline constexpr std::uint64_t kStaleNaNBits = 0x7ff0000000000002ULL;
/// Prometheus's ordinary NaN.
inline constexpr std::uint64_t kNormalNaNBits = 0x7ff8000000000001ULL;

inline double stale_nan() { return std::bit_cast<double>(kStaleNaNBits); }
inline double normal_nan() { return std::bit_cast<double>(kNormalNaNBits); }
inline bool is_stale_nan(double v) { return std::bit_cast<std::uint64_t>(v) == kStaleNaNBits; }

}  // namespace pipit
