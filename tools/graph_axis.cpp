#include "tools/graph_axis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <iterator>

namespace pipit {
namespace {

/// The smallest of 1, 2, 5, 10 times a power of ten that is not below `step`.
double round_step_up(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    // The tolerance keeps 0.30000000000000004 / 3 from skipping 0.1.
    if (power * factor >= step * (1 - 1e-9)) return power * factor;
  }
  return power * 10;
}

constexpr DurationMs kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

/// Distances of time labels that people count in.
constexpr DurationMs kTimeSteps[] = {
    kSecond,     2 * kSecond,  5 * kSecond,  10 * kSecond, 15 * kSecond, 30 * kSecond, kMinute,   2 * kMinute,
    5 * kMinute, 10 * kMinute, 15 * kMinute, 30 * kMinute, kHour,        2 * kHour,    3 * kHour, 6 * kHour,
    12 * kHour,  kDay,         2 * kDay,     7 * kDay,     14 * kDay,    30 * kDay,    90 * kDay, 365 * kDay,
};

std::tm local_time(TimestampMs t) {
  const auto seconds = static_cast<std::time_t>(std::floor(static_cast<double>(t) / 1000));
  std::tm broken_down{};
  localtime_r(&seconds, &broken_down);
  return broken_down;
}

std::string format_tm(const std::tm& time, const char* format) {
  char text[64];
  const std::size_t size = std::strftime(text, sizeof(text), format, &time);
  return {text, size};
}

}  // namespace

double ValueAxis::position(double v) const { return (v / 2 - low / 2) / (high / 2 - low / 2); }

std::string format_si(double v, double step) {
  if (v == 0) return "0";
  struct Prefix {
    double factor;
    const char* text;
  };
  constexpr Prefix kPrefixes[] = {{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"},  {1e6, "M"},  {1e3, "k"},
                                  {1e-2, ""},  {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}, {1e-12, "p"}};
  const double size = std::abs(v) * (1 + 1e-9);
  char text[64];
  const auto* prefix =
      std::find_if(std::begin(kPrefixes), std::end(kPrefixes), [size](const Prefix& p) { return size >= p.factor; });
  if (size >= 1e21 || prefix == std::end(kPrefixes)) {
    std::snprintf(text, sizeof(text), "%.3g", v);
    return text;
  }
  const double factor = prefix->factor == 1e-2 ? 1 : prefix->factor;
  constexpr int kMaxDecimals = 12;
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step / factor) - 1e-9)), 0, kMaxDecimals);
  std::snprintf(text, sizeof(text), "%.*f", decimals, v / factor);
  std::string out = text;
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return out + prefix->text;
}

ValueAxis make_value_axis(double low, double high, int ticks) {
  if (low == high) {
    // A flat line is drawn against zero; zero itself against one.
    low = std::min(low, 0.0);
    high = low == high ? 1 : std::max(high, 0.0);
  } else if (low > 0 && low < high / 2) {
    low = 0;  // what grows from near zero is shown from zero
  }
  ValueAxis axis;
  const double step = round_step_up((high / 2 - low / 2) / ticks * 2);
  if (!std::isfinite(step) || step <= 0 || !std::isfinite(high / step) || step < std::abs(high) * 1e-13 ||
      step < std::abs(low) * 1e-13) {
    // Too far apart or too close together for round numbers in between.
    axis.low = low;
    axis.high = high;
    axis.ticks = {low, high};
    for (const double tick : axis.ticks) axis.labels.push_back(format_si(tick, std::abs(tick) * 1e-12));
    return axis;
  }
  const double first = std::floor(low / step + 1e-9);
  const double last = std::ceil(high / step - 1e-9);
  for (int i = 0; first + i <= last; ++i) {
    const double tick = (first + i) * step;
    axis.ticks.push_back(tick);
    axis.labels.push_back(format_si(tick, step));
  }
  axis.low = std::min(low, axis.ticks.front());
  axis.high = std::max(high, axis.ticks.back());
  return axis;
}

TimeAxis make_time_axis(TimestampMs start, TimestampMs end, int ticks) {
  TimeAxis axis;
  const DurationMs wanted = (end - start) / ticks;
  const auto* found = std::lower_bound(std::begin(kTimeSteps), std::end(kTimeSteps), wanted);
  if (found == std::end(kTimeSteps)) --found;
  const DurationMs step = *found;
  const char* format = step < kMinute ? "%H:%M:%S" : step < kDay ? "%H:%M" : "%b %d";
  // Round local times, by the offset from UTC at the start.
  const DurationMs zone = static_cast<DurationMs>(local_time(start).tm_gmtoff) * kSecond;
  const TimestampMs local_start = start + zone;
  TimestampMs tick = local_start - ((local_start % step) + step) % step;
  if (tick < local_start) tick += step;
  for (; tick - zone <= end && axis.ticks.size() <= static_cast<std::size_t>(ticks); tick += step) {
    axis.ticks.push_back(tick - zone);
    axis.labels.push_back(format_tm(local_time(tick - zone), format));
  }
  return axis;
}

std::string format_local_time(TimestampMs t) { return format_tm(local_time(t), "%Y-%m-%d %H:%M:%S %Z"); }

}  // namespace pipit
