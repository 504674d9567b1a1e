#include <cmath>
#include <cstdint>

#include "query/instant_functions.h"

namespace pipit {
namespace {

struct CivilDate {
  std::int64_t year;
  unsigned month;  ///< 1 to 12
  unsigned day;    ///< 1 to 31
};

constexpr std::int64_t kSecondsPerDay = 86400;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Days since 1970-01-01 to a date of the proleptic Gregorian calendar: years that start in March put the leap day
/// last. Source: Howard Hinnant, chrono-compatible low-level date algorithms.
CivilDate civil_from_days(std::int64_t days) {
  constexpr std::int64_t kDaysPerEra = 146097;  // 400 years
  days += 719468;                               // from 0000-03-01
  std::int64_t era = floor_div(days, kDaysPerEra);
  std::int64_t day_of_era = days - era * kDaysPerEra;
  std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (kDaysPerEra - 1)) / 365;
  std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  auto day = static_cast<unsigned>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  auto month = static_cast<unsigned>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

bool is_leap(std::int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

unsigned days_in(std::int64_t year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[month - 1];
}

/// `of(seconds)` for a time that the calendar can express, else NaN.
template <class Of>
double of_time(double v, Of of) {
  constexpr double kLimit = 1e17;  // three billion years
  if (!(std::fabs(v) < kLimit)) return std::nan("");
  return static_cast<double>(of(static_cast<std::int64_t>(v)));
}

template <class Of>
double of_date(double v, Of of) {
  return of_time(v, [&](std::int64_t t) { return of(civil_from_days(floor_div(t, kSecondsPerDay))); });
}

double year(double v) {
  return of_date(v, [](const CivilDate& d) { return d.year; });
}
double month(double v) {
  return of_date(v, [](const CivilDate& d) { return d.month; });
}
double day_of_month(double v) {
  return of_date(v, [](const CivilDate& d) { return d.day; });
}
double days_in_month(double v) {
  return of_date(v, [](const CivilDate& d) { return days_in(d.year, d.month); });
}
double day_of_year(double v) {
  return of_date(v, [](const CivilDate& d) {
    unsigned days = d.day;
    for (unsigned m = 1; m < d.month; ++m) days += days_in(d.year, m);
    return days;
  });
}
double day_of_week(double v) {
  return of_time(v, [](std::int64_t t) {
    std::int64_t days = floor_div(t, kSecondsPerDay) + 4;  // the epoch was a Thursday; Sunday is 0
    return days - floor_div(days, 7) * 7;
  });
}
double hour(double v) {
  return of_time(v, [](std::int64_t t) { return (t - floor_div(t, kSecondsPerDay) * kSecondsPerDay) / 3600; });
}
double minute(double v) {
  return of_time(v, [](std::int64_t t) { return (t - floor_div(t, 3600) * 3600) / 60; });
}

}  // namespace

SampleFunction find_calendar_function(std::string_view name) {
  struct Entry {
    std::string_view name;
    SampleFunction function;
  };
  constexpr Entry kFunctions[] = {
      {"day_of_month", day_of_month},
      {"day_of_week", day_of_week},
      {"day_of_year", day_of_year},
      {"days_in_month", days_in_month},
      {"hour", hour},
      {"minute", minute},
      {"month", month},
      {"year", year},
  };
  for (const auto& entry : kFunctions) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

}  // namespace pipit
