// A time in a template, with the methods of Go's time.Time that templates use.

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <limits>

#include "template/prometheus_functions.h"

namespace pipit {
namespace {

constexpr std::array<const char*, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                 "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<const char*, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};

constexpr std::int64_t kNanoseconds = 1'000'000;  // of a millisecond

struct Parts {
  std::tm date{};
  int milliseconds = 0;
  int offset_seconds = 0;
  std::string zone = "UTC";
};

Parts parts_of(TimestampMs time, int offset_seconds, std::string zone) {
  Parts parts;
  parts.offset_seconds = offset_seconds;
  parts.zone = std::move(zone);
  std::time_t seconds = time / 1000 + offset_seconds;
  parts.milliseconds = static_cast<int>(time % 1000);
  if (parts.milliseconds < 0) {
    parts.milliseconds += 1000;
    --seconds;
  }
  gmtime_r(&seconds, &parts.date);
  return parts;
}

std::string digits(int value, int width, char fill = '0') {
  std::string text = std::to_string(value);
  if (static_cast<int>(text.size()) < width) text.insert(0, static_cast<std::size_t>(width) - text.size(), fill);
  return text;
}

/// `+02:00`; `separator` may be "".
std::string offset_text(const Parts& parts, const char* separator, bool minutes) {
  const int offset = std::abs(parts.offset_seconds) / 60;
  std::string out = (parts.offset_seconds < 0 ? "-" : "+") + digits(offset / 60, 2);
  return minutes ? out + separator + digits(offset % 60, 2) : out;
}

/// The pieces of Go's reference time, Mon Jan 2 15:04:05 MST 2006. A longer piece comes before one that begins it.
struct Piece {
  const char* text;
  std::string (*format)(const Parts&);
};
int hour_12(const Parts& p) { return p.date.tm_hour % 12 == 0 ? 12 : p.date.tm_hour % 12; }
constexpr Piece kPieces[] = {
    {"January", [](const Parts& p) { return std::string(kMonths[static_cast<std::size_t>(p.date.tm_mon)]); }},
    {"Jan", [](const Parts& p) { return std::string(kMonths[static_cast<std::size_t>(p.date.tm_mon)]).substr(0, 3); }},
    {"Monday", [](const Parts& p) { return std::string(kDays[static_cast<std::size_t>(p.date.tm_wday)]); }},
    {"Mon", [](const Parts& p) { return std::string(kDays[static_cast<std::size_t>(p.date.tm_wday)]).substr(0, 3); }},
    {"MST", [](const Parts& p) { return p.zone; }},
    {"2006", [](const Parts& p) { return digits(p.date.tm_year + 1900, 4); }},
    {"-07:00", [](const Parts& p) { return offset_text(p, ":", true); }},
    {"-0700", [](const Parts& p) { return offset_text(p, "", true); }},
    {"Z07:00", [](const Parts& p) { return p.offset_seconds == 0 ? "Z" : offset_text(p, ":", true); }},
    {"Z0700", [](const Parts& p) { return p.offset_seconds == 0 ? "Z" : offset_text(p, "", true); }},
    {"-07", [](const Parts& p) { return offset_text(p, "", false); }},
    {"002", [](const Parts& p) { return digits(p.date.tm_yday + 1, 3); }},
    {"01", [](const Parts& p) { return digits(p.date.tm_mon + 1, 2); }},
    {"02", [](const Parts& p) { return digits(p.date.tm_mday, 2); }},
    {"03", [](const Parts& p) { return digits(hour_12(p), 2); }},
    {"04", [](const Parts& p) { return digits(p.date.tm_min, 2); }},
    {"05", [](const Parts& p) { return digits(p.date.tm_sec, 2); }},
    {"06", [](const Parts& p) { return digits((p.date.tm_year + 1900) % 100, 2); }},
    {"15", [](const Parts& p) { return digits(p.date.tm_hour, 2); }},
    {"PM", [](const Parts& p) { return std::string(p.date.tm_hour < 12 ? "AM" : "PM"); }},
    {"pm", [](const Parts& p) { return std::string(p.date.tm_hour < 12 ? "am" : "pm"); }},
    {"_2", [](const Parts& p) { return digits(p.date.tm_mday, 2, ' '); }},
    {"1", [](const Parts& p) { return std::to_string(p.date.tm_mon + 1); }},
    {"2", [](const Parts& p) { return std::to_string(p.date.tm_mday); }},
    {"3", [](const Parts& p) { return std::to_string(hour_12(p)); }},
    {"4", [](const Parts& p) { return std::to_string(p.date.tm_min); }},
    {"5", [](const Parts& p) { return std::to_string(p.date.tm_sec); }},
};

/// `Jan` and `Mon` are no pieces of longer words: `Month`.
bool stands_at(std::string_view layout, std::string_view piece) {
  if (!layout.starts_with(piece)) return false;
  const bool begins_words = piece == "Jan" || piece == "Mon";
  return !begins_words || layout.size() == piece.size() || layout[piece.size()] < 'a' || layout[piece.size()] > 'z';
}

/// `.000` or `,999`: parts of a second, with 9 those before the zeros at its end. Returns the bytes of it in the
/// layout, 0: there is none.
std::size_t add_fraction(std::string& out, const Parts& parts, std::string_view layout) {
  if (layout.size() < 2 || (layout[0] != '.' && layout[0] != ',') || (layout[1] != '0' && layout[1] != '9')) return 0;
  const std::size_t end = std::min(layout.find_first_not_of(layout[1], 1), layout.size());
  if (end < layout.size() && layout[end] >= '0' && layout[end] <= '9') return 0;
  std::string fraction = digits(parts.milliseconds, 3);
  fraction.resize(end - 1, '0');
  if (layout[1] == '9') fraction.resize(fraction.find_last_not_of('0') + 1);
  if (!fraction.empty()) out += layout[0] + fraction;
  return end;
}

std::string format_time(const Parts& parts, std::string_view layout) {
  std::string out;
  while (!layout.empty()) {
    if (const std::size_t fraction = add_fraction(out, parts, layout); fraction > 0) {
      layout.remove_prefix(fraction);
      continue;
    }
    const Piece* found = nullptr;
    for (const Piece& piece : kPieces) {
      if (found == nullptr && stands_at(layout, piece.text)) found = &piece;
    }
    if (found == nullptr) {
      out += layout.front();
      layout.remove_prefix(1);
    } else {
      out += found->format(parts);
      layout.remove_prefix(std::string_view(found->text).size());
    }
  }
  return out;
}

/// A month or a day of the week.
class NamedNumber final : public TemplateObject {
 public:
  NamedNumber(std::string_view type, int number, std::string name)
      : type_(type), number_(number), name_(std::move(name)) {}

  Result<std::optional<TemplateValue>> field(std::string_view name, std::span<const TemplateValue>) const override {
    return name == "String" ? std::optional(TemplateValue(name_)) : std::nullopt;
  }
  std::string text() const override { return name_; }
  std::string_view type_name() const override { return type_; }
  std::optional<std::int64_t> number() const override { return number_; }

 private:
  std::string_view type_;
  int number_;
  std::string name_;
};

/// A duration, or its nanoseconds, as Go has them; a constant may be written with an exponent. Nothing: it is none.
std::optional<DurationMs> duration_of(const TemplateValue& value) {
  if (const auto nanoseconds = value.number()) {
    return *nanoseconds / kNanoseconds - (*nanoseconds % kNanoseconds < 0 ? 1 : 0);
  }
  const double* real = value.real();
  if (real == nullptr || *real != std::trunc(*real) || std::abs(*real) > 9e18) return std::nullopt;
  return static_cast<DurationMs>(std::floor(*real / kNanoseconds));
}

class Duration final : public TemplateObject {
 public:
  explicit Duration(DurationMs duration) : duration_(std::clamp(duration, -kLongest, kLongest)) {}

  DurationMs duration() const { return duration_; }
  Result<std::optional<TemplateValue>> field(std::string_view name,
                                             std::span<const TemplateValue> arguments) const override {
    if (name == "Round" || name == "Truncate") return rounded(name, arguments);
    if (!arguments.empty()) return execution_error("wrong number of args for " + std::string(name) + ": want 0");
    if (name == "Seconds") return std::optional(TemplateValue(in_units_of(1000)));
    if (name == "Minutes") return std::optional(TemplateValue(in_units_of(60'000)));
    if (name == "Hours") return std::optional(TemplateValue(in_units_of(3'600'000)));
    if (name == "Milliseconds") return std::optional(TemplateValue(std::int64_t{duration_}));
    if (name == "Microseconds") return std::optional(TemplateValue(std::int64_t{duration_ * 1000}));
    if (name == "Nanoseconds") return std::optional(TemplateValue(*number()));
    if (name == "Abs") return std::optional(template_duration(std::abs(duration_)));
    if (name == "String") return std::optional(TemplateValue(text()));
    return std::optional<TemplateValue>();
  }
  std::optional<std::int64_t> number() const override { return duration_ * kNanoseconds; }
  /// As Go's Duration.String.
  std::string text() const override {
    const DurationMs magnitude = duration_ < 0 ? -duration_ : duration_;
    const std::string sign = duration_ < 0 ? "-" : "";
    if (magnitude == 0) return "0s";
    if (magnitude < 1000) return sign + std::to_string(magnitude) + "ms";
    std::string seconds = std::to_string(magnitude / 1000 % 60);
    if (magnitude % 1000 != 0) {
      seconds += "." + digits(static_cast<int>(magnitude % 1000), 3);
      seconds.resize(seconds.find_last_not_of('0') + 1);
    }
    std::string out = sign;
    if (magnitude >= 3'600'000) out += std::to_string(magnitude / 3'600'000) + "h";
    if (magnitude >= 60'000) out += std::to_string(magnitude / 60'000 % 60) + "m";
    return out + seconds + "s";
  }
  std::string_view type_name() const override { return "time.Duration"; }

 private:
  static constexpr DurationMs kLongest = std::numeric_limits<std::int64_t>::max() / kNanoseconds;

  /// As Go adds it up, to the last digit.
  double in_units_of(DurationMs unit) const {
    const DurationMs whole = duration_ / unit;
    return static_cast<double>(whole) + static_cast<double>(duration_ % unit) / static_cast<double>(unit);
  }

  Result<std::optional<TemplateValue>> rounded(std::string_view name, std::span<const TemplateValue> arguments) const {
    const auto to = arguments.size() == 1 ? duration_of(arguments[0]) : std::nullopt;
    if (!to) return execution_error("wrong args for " + std::string(name) + ": want 1 time.Duration");
    if (*to <= 0) return std::optional(template_duration(duration_));
    const DurationMs beyond = duration_ % *to;
    DurationMs out = duration_ - beyond;
    if (name == "Round" && 2 * std::abs(beyond) >= *to) out += beyond < 0 ? -*to : *to;
    return std::optional(template_duration(out));
  }

  DurationMs duration_;
};

class Time final : public TemplateObject {
 public:
  Time(TimestampMs time, int offset_seconds, std::string zone)
      : time_(time), parts_(parts_of(time, offset_seconds, std::move(zone))) {}

  Result<std::optional<TemplateValue>> field(std::string_view name,
                                             std::span<const TemplateValue> arguments) const override {
    if (name == "Format") {
      if (arguments.size() != 1 || arguments[0].string() == nullptr) {
        return execution_error("wrong number of args for Format: want 1 string");
      }
      return std::optional(TemplateValue(format_time(parts_, *arguments[0].string())));
    }
    if (name == "Sub" || name == "Before" || name == "After" || name == "Equal") {
      const auto* other = arguments.size() == 1 ? dynamic_cast<const Time*>(arguments[0].object()) : nullptr;
      if (other == nullptr) return execution_error("wrong args for " + std::string(name) + ": want 1 time.Time");
      return std::optional(compared(name, time_ - other->time_));
    }
    if (name == "Add") return moved(arguments);
    if (name == "AddDate") return moved_by_date(arguments);
    if (!arguments.empty()) return execution_error("wrong number of args for " + std::string(name) + ": want 0");
    return plain_field(name);
  }
  /// As Go's Time.String.
  std::string text() const override {
    std::string text = format_time(parts_, "2006-01-02 15:04:05");
    if (parts_.milliseconds != 0) {
      text += "." + digits(parts_.milliseconds, 3);
      text.resize(text.find_last_not_of('0') + 1);
    }
    return text + " " + offset_text(parts_, "", true) + " " + parts_.zone;
  }
  std::string_view type_name() const override { return "time.Time"; }

 private:
  static TemplateValue compared(std::string_view name, DurationMs difference) {
    if (name == "Sub") return template_duration(difference);
    return TemplateValue(name == "Before" ? difference < 0 : name == "After" ? difference > 0 : difference == 0);
  }

  TemplateValue at(TimestampMs time) const { return template_time(time, parts_.offset_seconds, parts_.zone); }

  Result<std::optional<TemplateValue>> moved(std::span<const TemplateValue> arguments) const {
    const auto by = arguments.size() == 1 ? duration_of(arguments[0]) : std::nullopt;
    if (!by) return execution_error("wrong args for Add: want 1 time.Duration");
    return std::optional(at(time_ + *by));
  }

  Result<std::optional<TemplateValue>> moved_by_date(std::span<const TemplateValue> arguments) const {
    constexpr std::int64_t kMost = 100'000;
    std::array<int, 3> by{};
    for (std::size_t i = 0; i < by.size(); ++i) {
      const std::int64_t* number = arguments.size() == by.size() ? arguments[i].integer() : nullptr;
      if (number == nullptr || std::abs(*number) > kMost) {
        return execution_error("wrong args for AddDate: want 3 int, " + std::to_string(kMost) + " at most");
      }
      by[i] = static_cast<int>(*number);
    }
    std::tm date = parts_.date;
    date.tm_year += by[0];
    date.tm_mon += by[1];
    date.tm_mday += by[2];
    return std::optional(at((::timegm(&date) - parts_.offset_seconds) * TimestampMs{1000} + parts_.milliseconds));
  }

  static TemplateValue named(std::string_view type, int number, const char* name) {
    return TemplateValue(
        std::shared_ptr<const TemplateObject>(std::make_shared<NamedNumber>(type, number, std::string(name))));
  }

  std::optional<TemplateValue> plain_field(std::string_view name) const {
    const std::tm& date = parts_.date;
    if (name == "Unix") return TemplateValue(std::int64_t{time_ / 1000 - (time_ % 1000 < 0 ? 1 : 0)});
    if (name == "UnixMilli") return TemplateValue(std::int64_t{time_});
    if (name == "UTC" || name == "Local") return template_time(time_);
    if (name == "String") return TemplateValue(text());
    if (name == "Year") return TemplateValue(date.tm_year + 1900);
    if (name == "UnixMicro") return TemplateValue(std::int64_t{time_ * 1000});
    if (name == "UnixNano") return TemplateValue(std::int64_t{time_ * kNanoseconds});
    if (name == "Month") return named("time.Month", date.tm_mon + 1, kMonths[static_cast<std::size_t>(date.tm_mon)]);
    if (name == "Weekday") return named("time.Weekday", date.tm_wday, kDays[static_cast<std::size_t>(date.tm_wday)]);
    if (name == "YearDay") return TemplateValue(date.tm_yday + 1);
    if (name == "Nanosecond") return TemplateValue(parts_.milliseconds * std::int64_t{kNanoseconds});
    if (name == "Day") return TemplateValue(date.tm_mday);
    if (name == "Hour") return TemplateValue(date.tm_hour);
    if (name == "Minute") return TemplateValue(date.tm_min);
    if (name == "Second") return TemplateValue(date.tm_sec);
    if (name == "IsZero") return TemplateValue(time_ == kZeroTime);
    return std::nullopt;
  }

  static constexpr TimestampMs kZeroTime = -62'135'596'800'000;  ///< Go's, the first of January of year 1

  TimestampMs time_;
  Parts parts_;
};

}  // namespace

TemplateValue template_time(TimestampMs time) { return template_time(time, 0, "UTC"); }

TemplateValue template_time(TimestampMs time, int offset_seconds, const std::string& zone) {
  return TemplateValue(std::shared_ptr<const TemplateObject>(std::make_shared<Time>(time, offset_seconds, zone)));
}

TemplateValue template_duration(DurationMs duration) {
  return TemplateValue(std::shared_ptr<const TemplateObject>(std::make_shared<Duration>(duration)));
}

}  // namespace pipit
