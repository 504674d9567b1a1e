#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "model/sample.h"

namespace pipit {

/// Samples of one series that came out of order, sorted by time, until a checkpoint makes them a chunk of their own.
struct LateSamples {
  enum class Outcome { stored, repeated, duplicate };

  std::vector<TimestampMs> times;
  std::vector<double> values;

  /// `repeated` when the time is there with these bits, `duplicate` when it is there with others; neither changes
  /// anything.
  Outcome add(TimestampMs time, double value) {
    const auto at = std::lower_bound(times.begin(), times.end(), time);
    const auto value_at = values.begin() + (at - times.begin());
    if (at != times.end() && *at == time) {
      const bool same = std::bit_cast<std::uint64_t>(*value_at) == std::bit_cast<std::uint64_t>(value);
      return same ? Outcome::repeated : Outcome::duplicate;
    }
    values.insert(value_at, value);
    times.insert(at, time);
    return Outcome::stored;
  }
  std::size_t bytes() const { return times.capacity() * sizeof(TimestampMs) + values.capacity() * sizeof(double); }
};

}  // namespace pipit
