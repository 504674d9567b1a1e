// Numbers for people, as Prometheus's template functions write them.

#include <cmath>
#include <cstdio>

#include "template/prometheus_functions.h"

namespace pipit {
namespace {

std::string four_digits(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.4g", value);
  return buffer;
}

constexpr const char* kLarge[] = {"", "k", "M", "G", "T", "P", "E", "Z", "Y"};
constexpr const char* kLargeBinary[] = {"", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
constexpr const char* kSmall[] = {"", "m", "u", "n", "p", "f", "a", "z", "y"};
constexpr int kLast = 8;

std::string scale_down(double value, double base, const char* const (&prefixes)[kLast + 1]) {
  int prefix = 0;
  for (; prefix < kLast && std::abs(value) >= base; ++prefix) value /= base;
  return four_digits(value) + prefixes[prefix];
}

std::string scale_up(double value) {
  int prefix = 0;
  for (; prefix < kLast && std::abs(value) < 1; ++prefix) value *= 1000;
  return four_digits(value) + kSmall[prefix];
}

bool is_plain(double value) { return value == 0 || !std::isfinite(value); }

}  // namespace

std::string humanize(double value) {
  if (is_plain(value)) return four_digits(value);
  return std::abs(value) >= 1 ? scale_down(value, 1000, kLarge) : scale_up(value);
}

std::string humanize_1024(double value) {
  if (std::abs(value) <= 1 || !std::isfinite(value)) return four_digits(value);
  return scale_down(value, 1024, kLargeBinary);
}

std::string humanize_duration(double seconds) {
  if (!std::isfinite(seconds)) return four_digits(seconds);
  if (seconds == 0) return four_digits(seconds) + "s";
  if (std::abs(seconds) < 1) return scale_up(seconds) + "s";
  const std::string sign = seconds < 0 ? "-" : "";
  const double magnitude = std::abs(seconds);
  constexpr double kMost = 9.2e18;  // further on, whole seconds don't fit 64 bits
  const auto whole = static_cast<std::int64_t>(std::min(magnitude, kMost));
  const auto part = [](std::int64_t number, const char* unit) { return std::to_string(number) + unit; };
  const std::string s = part(whole % 60, "s");
  const std::string m = part(whole / 60 % 60, "m ") + s;
  const std::string h = part(whole / 3600 % 24, "h ") + m;
  if (whole >= 86400) return sign + part(whole / 86400, "d ") + h;
  if (whole >= 3600) return sign + h;
  if (whole >= 60) return sign + m;
  return sign + four_digits(magnitude) + "s";
}

std::string humanize_percentage(double ratio) { return four_digits(ratio * 100) + "%"; }

}  // namespace pipit
