#include "tools/query_options.h"

#include <algorithm>

#include "model/duration.h"

namespace pipit {
namespace {

constexpr DurationMs kDefaultGraphRange = 3'600'000;
constexpr DurationMs kPointsOfDefaultStep = 250;
constexpr DurationMs kSecond = 1000;

Error option_error(std::string_view option, const Error& error) {
  return bad_data(std::string(option) + ": " + error.message);
}

Result<std::optional<TimestampMs>> optional_time(std::string_view option, const std::optional<std::string>& text,
                                                 TimestampMs now) {
  if (!text) return std::optional<TimestampMs>();
  Result<TimestampMs> parsed = parse_query_time(*text, now);
  if (!parsed) return option_error(option, parsed.error());
  return std::optional<TimestampMs>(*parsed);
}

/// Sets the two ends from whichever of start, end and range were given.
Status resolve_range(const TimeArguments& arguments, TimestampMs now, QueryOptions& options) {
  const auto start = optional_time("--start", arguments.start, now);
  if (!start) return start.error();
  const auto end = optional_time("--end", arguments.end, now);
  if (!end) return end.error();
  if (arguments.range && *start && *end) return bad_data("of --start, --end and --range give at most two");
  DurationMs range = kDefaultGraphRange;
  if (arguments.range) {
    const Result<DurationMs> parsed = positive_duration("--range", *arguments.range);
    if (!parsed) return parsed.error();
    range = *parsed;
  } else if (*end && !*start) {
    return bad_data("--end needs --start or --range");
  }
  if (*start) {
    options.start = **start;
    options.end = *end ? **end : arguments.range ? options.start + range : now;
  } else {
    options.end = *end ? **end : now;
    options.start = options.end - range;
  }
  if (options.end < options.start) return bad_data("the end of the range is before its start");
  return {};
}

}  // namespace

Result<DurationMs> positive_duration(std::string_view option, const std::string& text) {
  Result<DurationMs> parsed = parse_api_duration(text);
  if (!parsed) return option_error(option, parsed.error());
  if (*parsed <= 0) return bad_data(std::string(option) + " must be more than zero");
  return parsed;
}

Result<TimestampMs> parse_query_time(std::string_view text, TimestampMs now) {
  constexpr std::string_view kNow = "now";
  if (!text.starts_with(kNow)) return parse_api_time(text);
  const std::string_view shift = text.substr(kNow.size());
  if (shift.empty()) return now;
  if (shift[0] != '-' && shift[0] != '+')
    return bad_data("cannot parse \"" + std::string(text) + "\" to a valid timestamp");
  const Result<DurationMs> duration = parse_duration(shift.substr(1));
  if (!duration) return duration.error();
  return shift[0] == '-' ? now - *duration : now + *duration;
}

DurationMs default_step(DurationMs range) {
  return std::max(range / kPointsOfDefaultStep / kSecond, DurationMs{1}) * kSecond;
}

Status resolve_times(const TimeArguments& arguments, bool always_range, TimestampMs now, QueryOptions& options) {
  const bool has_range = arguments.start || arguments.end || arguments.range;
  if (arguments.time && has_range)
    return bad_data("--time is for one point in time, so it excludes --start, --end and --range");
  if (!has_range && !always_range) {
    if (arguments.step) return bad_data("--step needs --range or --start");
    const auto time = optional_time("--time", arguments.time, now);
    if (!time) return time.error();
    options.start = options.end = *time ? **time : now;
    return {};
  }
  const auto time = optional_time("--time", arguments.time, now);
  if (!time) return time.error();
  if (Status status = resolve_range(arguments, *time ? **time : now, options); !status.ok()) return status;
  options.kind = QueryKind::range;
  options.step = default_step(options.end - options.start);
  if (arguments.step) {
    const Result<DurationMs> step = positive_duration("--step", *arguments.step);
    if (!step) return step.error();
    options.step = *step;
  }
  return {};
}

Status resolve_span(const TimeArguments& arguments, bool needs_span, TimestampMs now, QueryOptions& options) {
  options.has_span = needs_span || arguments.start || arguments.end || arguments.range;
  return options.has_span ? resolve_range(arguments, now, options) : Status();
}

}  // namespace pipit
