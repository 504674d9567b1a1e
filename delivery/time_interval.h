#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/sample.h"

namespace pipit {

/// When a route is active or mute: all the fields that are not empty must hold. Ranges include both ends, but for the
/// end of `times`.
struct TimeInterval {
  using Ranges = std::vector<std::pair<int, int>>;

  Ranges times;          ///< minutes of the day, the end not included
  Ranges weekdays;       ///< 0 is Sunday
  Ranges days_of_month;  ///< 1 to 31; negative: from the month's end
  Ranges months;         ///< 1 to 12
  Ranges years;
  std::string location;  ///< of the tz database; "": UTC, "Local": the system's

  bool contains(TimestampMs time) const;
};

}  // namespace pipit
