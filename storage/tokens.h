#pragma once

#include <cstdint>

#include "storage/coding.h"

namespace pipit {

// Timestamps (their steps) and values of a chunk are lists of integers, written as tokens: varints that say how the
// next integer follows from the one before, which is 0 (or a base) at first. The run at the end isn't written: when the
// tokens end, the last integer repeats. Arithmetic is modulo 2^64.

inline constexpr std::uint64_t kTokenSame = 0;    ///< once more the same
inline constexpr std::uint64_t kTokenRun = 1;     ///< a varint k follows: k + kMinRun times the same
inline constexpr std::uint64_t kTokenEscape = 2;  ///< eight bytes follow: the value itself
/// Any larger token is this plus the zigzag of a delta, which is not 0.
inline constexpr std::uint64_t kTokenDeltaBase = 2;
inline constexpr std::uint64_t kMinRun = 3;
/// Deltas whose varint would be longer than an escape are written as escapes.
inline constexpr std::uint64_t kMaxTokenZigzag = (std::uint64_t{1} << 63) - 3;
/// Room that one integer can take: the run that it ends, and its own token.
inline constexpr std::size_t kMaxTokenBytes = 1 + kMaxVarintBytes + kMaxVarintBytes;

inline std::uint8_t* write_run(std::uint8_t* to, std::uint64_t run) {
  if (run >= kMinRun) {
    *to++ = kTokenRun;
    return write_varint(to, run - kMinRun);
  }
  for (; run > 0; --run) *to++ = kTokenSame;
  return to;
}

inline std::uint8_t* write_escape(std::uint8_t* to, std::uint64_t value) {
  *to++ = kTokenEscape;
  return write_fixed64(to, value);
}

/// `value` is what an escape would hold.
inline std::uint8_t* write_delta(std::uint8_t* to, std::uint64_t delta, std::uint64_t value) {
  const std::uint64_t coded = zigzag(delta);
  if (coded == 0 || coded > kMaxTokenZigzag) return write_escape(to, value);
  return write_varint(to, coded + kTokenDeltaBase);
}

}  // namespace pipit
