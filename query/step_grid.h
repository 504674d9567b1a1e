#pragma once

#include <cstddef>

#include "model/sample.h"

namespace pipit {

/// No sample is this many milliseconds (about a hundred thousand years) from the epoch, and times and durations below
/// it can be added up without care.
inline constexpr DurationMs kFarAway = 3'000'000'000'000'000;

/// The times at which an expression is evaluated: `start`, `start + step`, ... `count` of them. An instant
/// query has one. A subquery's expression has a grid of its own, aligned to multiples of its step.
struct StepGrid {
  TimestampMs start = 0;
  DurationMs step = 1;
  std::size_t count = 1;

  TimestampMs time(std::size_t i) const { return start + static_cast<DurationMs>(i) * step; }
  TimestampMs last() const { return time(count - 1); }
  /// The grid of what does not depend on the step: its first time only.
  StepGrid first_only() const { return {start, step, 1}; }
};

}  // namespace pipit
