// A time in a template, with the methods of Go's time.Time that templates use.

#include <array>
#include <ctime>

#include "template/prometheus_functions.h"

namespace pipit {
namespace {

constexpr std::array<const char*, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                 "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<const char*, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};

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
    {"06", [](const Parts& p) { return digits(p.date.tm_year % 100, 2); }},
    {"15", [](const Parts& p) { return digits(p.date.tm_hour, 2); }},
    {"PM", [](const Parts& p) { return std::string(p.date.tm_hour < 12 ? "AM" : "PM"); }},
    {"pm", [](const Parts& p) { return std::string(p.date.tm_hour < 12 ? "am" : "pm"); }},
    {".000", [](const Parts& p) { return "." + digits(p.milliseconds, 3); }},
    {"_2", [](const Parts& p) { return digits(p.date.tm_mday, 2, ' '); }},
    {"1", [](const Parts& p) { return std::to_string(p.date.tm_mon + 1); }},
    {"2", [](const Parts& p) { return std::to_string(p.date.tm_mday); }},
    {"3", [](const Parts& p) { return std::to_string(hour_12(p)); }},
    {"4", [](const Parts& p) { return std::to_string(p.date.tm_min); }},
    {"5", [](const Parts& p) { return std::to_string(p.date.tm_sec); }},
};

std::string format_time(const Parts& parts, std::string_view layout) {
  std::string out;
  while (!layout.empty()) {
    const Piece* found = nullptr;
    for (const Piece& piece : kPieces) {
      if (found == nullptr && layout.starts_with(piece.text)) found = &piece;
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

  std::optional<TemplateValue> plain_field(std::string_view name) const {
    const std::tm& date = parts_.date;
    if (name == "Unix") return TemplateValue(std::int64_t{time_ / 1000 - (time_ % 1000 < 0 ? 1 : 0)});
    if (name == "UnixMilli") return TemplateValue(std::int64_t{time_});
    if (name == "UTC" || name == "Local") return template_time(time_);
    if (name == "String") return TemplateValue(text());
    if (name == "Year") return TemplateValue(date.tm_year + 1900);
    if (name == "Month") return TemplateValue(kMonths[static_cast<std::size_t>(date.tm_mon)]);
    if (name == "Weekday") return TemplateValue(kDays[static_cast<std::size_t>(date.tm_wday)]);
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

class Duration final : public TemplateObject {
 public:
  explicit Duration(DurationMs duration) : duration_(duration) {}

  Result<std::optional<TemplateValue>> field(std::string_view name,
                                             std::span<const TemplateValue> arguments) const override {
    if (!arguments.empty()) return execution_error("wrong number of args for " + std::string(name) + ": want 0");
    const auto seconds = static_cast<double>(duration_) / 1000;
    if (name == "Seconds") return std::optional(TemplateValue(seconds));
    if (name == "Minutes") return std::optional(TemplateValue(seconds / 60));
    if (name == "Hours") return std::optional(TemplateValue(seconds / 3600));
    if (name == "Milliseconds") return std::optional(TemplateValue(std::int64_t{duration_}));
    if (name == "String") return std::optional(TemplateValue(text()));
    return std::optional<TemplateValue>();
  }
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
  DurationMs duration_;
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
