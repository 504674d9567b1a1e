#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "api/http_message.h"
#include "model/matcher.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

// Reading the parameters of the API, with Prometheus's defaults and errors (all of them bad_data).

/// As Go's strconv.Atoi and ParseBool read it, and complain.
Result<long> parse_integer(std::string_view text);
Result<bool> parse_boolean(std::string_view text);

/// `invalid parameter "NAME": ...`
Error invalid_parameter(std::string_view name, const Error& error);

/// A time parameter that may be missing.
Result<TimestampMs> time_parameter(const FormFields& form, std::string_view name, TimestampMs fallback);
/// A time parameter that must be there.
Result<TimestampMs> required_time_parameter(const FormFields& form, std::string_view name);
/// 0 when missing.
Result<std::size_t> limit_parameter(const FormFields& form);
/// A whole number with its sign; -1 when missing.
Result<long> number_parameter(const FormFields& form, std::string_view name);

/// `start`, `end` and `match[]` of the endpoints about series.
struct SeriesSelection {
  TimestampMs start = kMinTimestamp;
  TimestampMs end = kMaxTimestamp;
  std::vector<std::vector<Matcher>> matcher_sets;
  std::size_t limit = 0;
};
Result<SeriesSelection> series_selection(const FormFields& form);

}  // namespace pipit
