#pragma once

#include <string>
#include <vector>

#include "model/sample.h"

namespace pipit {

/// The range of values that a graph shows and the round numbers to label in it.
struct ValueAxis {
  double low = 0;
  double high = 1;
  std::vector<double> ticks;        ///< ascending
  std::vector<std::string> labels;  ///< one a tick

  /// Where `v` lies between low (0) and high (1); right also when high - low is more than a double holds.
  double position(double v) const;
};

/// An axis for values from `low` to `high` with about `ticks` labels, at 1, 2 or 5 times a power of ten.
/// REQUIRES: both finite, low <= high, ticks >= 2.
ValueAxis make_value_axis(double low, double high, int ticks);

/// `v` with an SI prefix and the digits needed to tell it from its neighbours `step` away: 1.5k, 250M, 2µ.
/// From 0.01 to 1000 there is no prefix; beyond the prefixes it is an exponent.
std::string format_si(double v, double step);

/// The times to label on an axis, at round minutes, hours or days of the local time zone.
struct TimeAxis {
  std::vector<TimestampMs> ticks;
  std::vector<std::string> labels;
};

/// REQUIRES: start <= end, ticks >= 1.
TimeAxis make_time_axis(TimestampMs start, TimestampMs end, int ticks);

/// `2026-11-22 10:00:00 CET`, local.
std::string format_local_time(TimestampMs t);

}  // namespace pipit
