#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// A zone of the system's tz database.
class TimeZone {
 public:
  struct Local {
    int offset_seconds = 0;  ///< east of Greenwich
    std::string abbreviation;
  };

  /// `name` is "Europe/Berlin", "UTC", "" (which is UTC, too) or "Local" for the system's. Errors (not_found) as Go
  /// words them: `unknown time zone Mars/Olympus`.
  static Result<TimeZone> load(const std::string& name);
  /// From the bytes of a TZif file (RFC 8536). Errors: bad_data.
  static Result<TimeZone> parse(std::string_view file);

  Local at(TimestampMs time) const;

 private:
  /// When the clock changes in each year: `M3.2.0/2`, the second Sunday of March at two.
  struct Change {
    int month = 0;
    int week = 0;
    int weekday = 0;
    int seconds = 7200;
  };
  /// What holds after the last transition: `EST5EDT,M3.2.0,M11.1.0`.
  struct Rule {
    Local standard;
    Local summer;
    std::optional<Change> begin;  ///< none: no summer time
    Change end;
  };

  static std::optional<Rule> parse_rule(std::string_view text);
  static std::int64_t moment_of(const Change& change, int year, int offset_seconds);

  std::vector<std::int64_t> transitions_;  ///< seconds; ascending
  std::vector<std::uint8_t> types_;        ///< after each of them
  std::vector<Local> locals_;
  std::optional<Rule> rule_;
};

}  // namespace pipit
