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
};

Parts parts_of(TimestampMs time) {
  Parts parts;
  std::time_t seconds = time / 1000;
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
    {"MST", [](const Parts&) { return std::string("UTC"); }},
    {"2006", [](const Parts& p) { return digits(p.date.tm_year + 1900, 4); }},
    {"-07:00", [](const Parts&) { return std::string("+00:00"); }},
    {"-0700", [](const Parts&) { return std::string("+0000"); }},
    {"Z07:00", [](const Parts&) { return std::string("Z"); }},
    {"Z0700", [](const Parts&) { return std::string("Z"); }},
    {"-07", [](const Parts&) { return std::string("+00"); }},
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
  explicit Time(TimestampMs time) : time_(time), parts_(parts_of(time)) {}

  Result<std::optional<TemplateValue>> field(std::string_view name,
                                             std::span<const TemplateValue> arguments) const override {
    if (name == "Format") {
      if (arguments.size() != 1 || arguments[0].string() == nullptr) {
        return execution_error("wrong number of args for Format: want 1 string");
      }
      return std::optional(TemplateValue(format_time(parts_, *arguments[0].string())));
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
    return text + " +0000 UTC";
  }
  std::string_view type_name() const override { return "time.Time"; }

 private:
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

}  // namespace

TemplateValue template_time(TimestampMs time) {
  return TemplateValue(std::shared_ptr<const TemplateObject>(std::make_shared<Time>(time)));
}

}  // namespace pipit
