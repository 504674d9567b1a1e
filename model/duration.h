#pragma once

#include <string>
#include <string_view>

#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// Prometheus's duration text: `1h30m`, units `y w d h m s ms` in that order, each at most once; "0" alone.
/// Errors as Prometheus words them: `not a valid duration string: "1x"`, `empty duration string`,
/// `duration out of range`.
Result<DurationMs> parse_duration(std::string_view text);
/// The shortest such text: 5400000 -> "1h30m", 0 -> "0s". Negative values get a leading '-'.
std::string format_duration(DurationMs d);

/// An API time parameter: float seconds since the epoch or RFC 3339.
/// Errors: `cannot parse "x" to a valid timestamp`.
Result<TimestampMs> parse_api_time(std::string_view text);
/// An API duration parameter: float seconds or a duration.  Errors: `cannot parse "x" to a valid duration`.
Result<DurationMs> parse_api_duration(std::string_view text);

/// 2026-11-22T10:00:00.123Z
std::string format_rfc3339(TimestampMs t);

TimestampMs now_ms();

}  // namespace pipit
