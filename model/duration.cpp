#include "model/duration.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>

#include "model/labels.h"
#include "model/number.h"

namespace pipit {

namespace {

constexpr DurationMs kSecond = 1000;
constexpr DurationMs kMinute = 60 * kSecond;
constexpr DurationMs kHour = 60 * kMinute;
constexpr DurationMs kDay = 24 * kHour;
constexpr DurationMs kWeek = 7 * kDay;
constexpr DurationMs kYear = 365 * kDay;
/// Prometheus keeps durations in nanoseconds of an int64.
constexpr DurationMs kMaxDuration = std::numeric_limits<std::int64_t>::max() / 1'000'000;

struct Unit {
  std::string_view name;
  DurationMs length;
};
constexpr Unit kUnits[] = {{"y", kYear},   {"w", kWeek},   {"d", kDay}, {"h", kHour},
                           {"m", kMinute}, {"s", kSecond}, {"ms", 1}};

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads exactly `digits` digits, or fails.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

/// `Z` or `+hh:mm`, as milliseconds east of Greenwich; must be all that is left.
std::optional<DurationMs> parse_zone(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  const bool west = !text.empty() && text[0] == '-';
  if (!take(text, west ? '-' : '+')) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  const DurationMs offset = *hours * kHour + *minutes * kMinute;
  return west ? -offset : offset;
}

/// Milliseconds of `.123456`, further digits cut off; 0 when there is no fraction.
std::optional<DurationMs> take_fraction(std::string_view& text) {
  if (!take(text, '.')) return 0;
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  DurationMs ms = 0;
  DurationMs scale = 100;
  while (!text.empty() && is_digit(text[0])) {
    ms += (text[0] - '0') * scale;
    scale /= 10;
    text.remove_prefix(1);
  }
  return ms;
}

std::optional<TimestampMs> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !(take(text, 'T') || take(text, 't'))) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  const auto zone = parse_zone(text);
  if (!zone) return std::nullopt;

  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const DurationMs days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * kDay + *hour * kHour + *minute * kMinute + *second * kSecond + *fraction - *zone;
}

}  // namespace

Result<DurationMs> parse_duration(std::string_view text) {
  if (text.empty()) return bad_data("empty duration string");
  if (text == "0") return DurationMs{0};
  const Error malformed = bad_data("not a valid duration string: " + quoted(text));
  std::string_view rest = text;
  DurationMs total = 0;
  const Unit* next_unit = std::begin(kUnits);
  while (!rest.empty()) {
    DurationMs count = 0;
    bool overflow = false;
    std::size_t digits = 0;
    for (; digits < rest.size() && is_digit(rest[digits]); ++digits) {
      overflow |=
          __builtin_mul_overflow(count, 10, &count) || __builtin_add_overflow(count, rest[digits] - '0', &count);
    }
    if (digits == 0) return malformed;
    rest.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < rest.size() && !is_digit(rest[letters])) ++letters;
    const std::string_view name = rest.substr(0, letters);
    rest.remove_prefix(letters);
    if (name.empty()) return malformed;
    const Unit* unit = std::ranges::find(kUnits, name, &Unit::name);
    if (unit == std::end(kUnits)) return bad_data("unknown unit " + quoted(name) + " in duration " + quoted(text));
    if (unit < next_unit) return malformed;
    next_unit = unit;
    DurationMs part = 0;
    overflow = overflow || __builtin_mul_overflow(count, next_unit->length, &part) ||
               __builtin_add_overflow(total, part, &total) || total > kMaxDuration;
    if (overflow) return bad_data("duration out of range");
    ++next_unit;
  }
  return total;
}

std::string format_duration(DurationMs d) {
  if (d == 0) return "0s";
  std::string out = d < 0 ? "-" : "";
  auto rest = d < 0 ? 0 - static_cast<std::uint64_t>(d) : static_cast<std::uint64_t>(d);
  for (const auto& unit : kUnits) {
    const auto length = static_cast<std::uint64_t>(unit.length);
    // Years and weeks only when they come out even: 90d reads better than 12w6d.
    const bool only_exact = unit.length >= kWeek;
    if (rest < length || (only_exact && rest % length != 0)) continue;
    out += std::to_string(rest / length);
    out += unit.name;
    rest %= length;
  }
  return out;
}

Result<TimestampMs> parse_api_time(std::string_view text) {
  if (const auto seconds = parse_float(text)) {
    const double ms = std::round(*seconds * 1000);
    constexpr double kLimit = 9.2e18;
    if (std::isfinite(ms) && std::fabs(ms) < kLimit) return static_cast<TimestampMs>(ms);
  } else if (const auto t = parse_rfc3339(text)) {
    return *t;
  }
  return bad_data("cannot parse " + quoted(text) + " to a valid timestamp");
}

Result<DurationMs> parse_api_duration(std::string_view text) {
  if (const auto seconds = parse_float(text)) {
    const double ms = *seconds * 1000;
    if (std::isnan(ms)) return -kMaxDuration;  // Go's conversion gives its smallest number
    if (std::fabs(ms) > static_cast<double>(kMaxDuration)) {
      return bad_data("cannot parse " + quoted(text) + " to a valid duration. It overflows int64");
    }
    return static_cast<DurationMs>(std::llround(ms));
  }
  auto duration = parse_duration(text);
  if (!duration.ok()) return bad_data("cannot parse " + quoted(text) + " to a valid duration");
  return duration;
}

std::string format_rfc3339(TimestampMs t) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(t)};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const auto ms = (time - day).count();
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(ms / kHour),
                static_cast<int>(ms / kMinute % 60), static_cast<int>(ms / kSecond % 60),
                static_cast<int>(ms % kSecond));
  return buffer;
}

TimestampMs now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace pipit
