#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/result.h"
#include "model/sample.h"

namespace pipit {

class TimeZone;

/// When a route is active or mute: all the fields that are not empty must hold. Ranges include both ends, but for the
/// end of `times`.
struct TimeInterval {
  using Ranges = std::vector<std::pair<int, int>>;

  Ranges times;          ///< minutes of the day, the end not included
  Ranges weekdays;       ///< 0 is Sunday
  Ranges days_of_month;  ///< 1 to 31; negative: from the month's end
  Ranges months;         ///< 1 to 12
  Ranges years;
  std::string location;                  ///< of the tz database; "": UTC, "Local": the system's
  std::shared_ptr<const TimeZone> zone;  ///< of `location`; null: UTC

  bool contains(TimestampMs time) const;
};

// The texts of the file. Errors (bad_data) as Alertmanager words them.
Result<std::pair<int, int>> parse_time_range(std::string_view start, std::string_view end);
Result<std::pair<int, int>> parse_weekday_range(std::string_view text);
Result<std::pair<int, int>> parse_day_of_month_range(std::string_view text);
Result<std::pair<int, int>> parse_month_range(std::string_view text);
Result<std::pair<int, int>> parse_year_range(std::string_view text);

}  // namespace pipit
