// Source of the rules and wordings: Alertmanager 0.28, timeinterval/timeinterval.go.

#include "delivery/time_interval.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <optional>
#include <span>

#include "model/time_zone.h"

namespace pipit {
namespace {

using Range = std::pair<int, int>;

constexpr std::array<std::string_view, 7> kWeekdays = {"sunday",   "monday", "tuesday", "wednesday",
                                                       "thursday", "friday", "saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"january",   "february", "march",    "april",
                                                      "may",       "june",     "july",     "august",
                                                      "september", "october",  "november", "december"};

bool has(const TimeInterval::Ranges& ranges, int value) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(),
                                       [value](const Range& r) { return value >= r.first && value <= r.second; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int> place_of(std::span<const std::string_view> names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

/// The two ends of `a:b`; both are `a` in `a`.
Result<std::pair<std::string, std::string>> split_range(std::string_view text) {
  const std::string all = lower(text);
  const std::size_t colon = all.find(':');
  if (colon == std::string::npos) return std::pair(all, all);
  if (all.find(':', colon + 1) != std::string::npos) {
    return bad_data("couldn't parse range " + std::string(text) + ", invalid format");
  }
  return std::pair(all.substr(0, colon), all.substr(colon + 1));
}

/// `read` gives an end's number or says what is wrong.
template <class Read>
Result<Range> parse_range(std::string_view text, Read read) {
  auto ends = split_range(text);
  if (!ends.ok()) return ends.error();
  auto first = Result<int>(read(ends->first));
  if (!first.ok()) return first.error();
  auto last = Result<int>(read(ends->second));
  if (!last.ok()) return last.error();
  return Range(*first, *last);
}

/// Minutes of the day in `hh:mm`; 24:00 is the day's end.
std::optional<int> minutes_of_day(std::string_view text) {
  if (text == "24:00") return 24 * 60;
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : 99; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hour = digit(0) * 10 + digit(1);
  const int minute = digit(3) * 10 + digit(4);
  if (hour > 23 || minute > 59) return std::nullopt;
  return hour * 60 + minute;
}

}  // namespace

Result<Range> parse_time_range(std::string_view start, std::string_view end) {
  if (start.empty() || end.empty()) return bad_data("both start and end times must be provided");
  const auto first = minutes_of_day(start);
  const auto last = minutes_of_day(end);
  if (!first || !last) {
    return bad_data("couldn't parse timestamp " + std::string(first ? end : start) + ", invalid format");
  }
  if (*first >= *last) return bad_data("start time cannot be equal or greater than end time");
  return Range(*first, *last);
}

Result<Range> parse_weekday_range(std::string_view text) {
  auto range = parse_range(text, [](const std::string& end) -> Result<int> {
    const auto day = place_of(kWeekdays, end);
    if (!day) return bad_data(end + " is not a valid weekday");
    return *day;
  });
  if (range.ok() && range->first > range->second) return bad_data("start day cannot be before end day");
  return range;
}

Result<Range> parse_day_of_month_range(std::string_view text) {
  auto range = parse_range(text, [](const std::string& end) -> Result<int> {
    const auto day = whole_number(end);
    if (!day) return bad_data("failed to parse " + end + ": it is not a number");
    if (*day == 0 || *day < -31 || *day > 31) {
      return bad_data(std::to_string(*day) + " is not a valid day of the month: out of range");
    }
    return *day;
  });
  if (!range.ok()) return range;
  const auto [first, last] = *range;
  if (first < 0 && last > 0) return bad_data("end day must be negative if start day is negative");
  // A month's length isn't known here, but an end before the start in the longest one is a mistake.
  const int begin = first < 0 ? 31 + first : first;
  const int end = last < 0 ? 31 + last : last;
  if (begin > end)
    return bad_data("end day " + std::to_string(last) + " is always before start day " + std::to_string(first));
  return range;
}

Result<Range> parse_month_range(std::string_view text) {
  auto range = parse_range(text, [](const std::string& end) -> Result<int> {
    if (const auto month = place_of(kMonths, end)) return *month + 1;
    const auto number = whole_number(end);
    if (!number || *number < 1 || *number > 12) return bad_data(end + " is not a valid month");
    return *number;
  });
  if (range.ok() && range->first > range->second) {
    return bad_data("end month " + std::string(kMonths[static_cast<std::size_t>(range->second - 1)]) +
                    " is before start month " + std::string(kMonths[static_cast<std::size_t>(range->first - 1)]));
  }
  return range;
}

Result<Range> parse_year_range(std::string_view text) {
  auto range = parse_range(text, [](const std::string& end) -> Result<int> {
    const auto year = whole_number(end);
    if (!year) return bad_data(end + " is not a valid year");
    return *year;
  });
  if (range.ok() && range->first > range->second) {
    return bad_data("end year " + std::to_string(range->second) + " is before start year " +
                    std::to_string(range->first));
  }
  return range;
}

bool TimeInterval::contains(TimestampMs time) const {
  using namespace std::chrono;
  constexpr TimestampMs kLatest = TimestampMs{250'000} * 365 * 86'400'000 / 100;  // 2500 years from the epoch
  time = std::clamp(time, TimestampMs{0}, kLatest);
  const milliseconds local(time + (zone ? TimestampMs{zone->at(time).offset_seconds} * 1000 : 0));
  const auto midnight = floor<days>(local);
  const sys_days date(midnight);
  const year_month_day calendar(date);
  const int minute = static_cast<int>(duration_cast<minutes>(local - midnight).count());
  const bool in_time = times.empty() || std::any_of(times.begin(), times.end(), [minute](const Range& range) {
                         return minute >= range.first && minute < range.second;
                       });
  if (!in_time) return false;
  const int length = static_cast<int>(
      static_cast<unsigned>(year_month_day_last(calendar.year(), month_day_last(calendar.month())).day()));
  const int day = static_cast<int>(static_cast<unsigned>(calendar.day()));
  const auto from_end = [length](int end) { return end < 0 ? length + end + 1 : end; };
  const bool in_month =
      days_of_month.empty() || std::any_of(days_of_month.begin(), days_of_month.end(), [&](const Range& range) {
        return from_end(range.first) <= length && day >= from_end(range.first) && day <= from_end(range.second);
      });
  return in_month && has(months, static_cast<int>(static_cast<unsigned>(calendar.month()))) &&
         has(weekdays, static_cast<int>(weekday(date).c_encoding())) && has(years, static_cast<int>(calendar.year()));
}

}  // namespace pipit
