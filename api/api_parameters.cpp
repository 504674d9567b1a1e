#include "api/api_parameters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "model/duration.h"
#include "model/labels.h"
#include "query/parser.h"

namespace pipit {
namespace {

/// A selector that matches everything would read the whole store by accident.
bool selects_everything(const std::vector<Matcher>& matchers) {
  return std::all_of(matchers.begin(), matchers.end(), [](const Matcher& m) { return m.matches_empty(); });
}

}  // namespace

Result<long> parse_integer(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  long value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  bool whole = end == digits.data() + digits.size() && !digits.empty() && !(text[0] == '+' && digits[0] == '-');
  if (whole && error == std::errc()) return value;
  std::string message = "strconv.Atoi: parsing ";
  append_quoted(message, text);
  message += whole && error == std::errc::result_out_of_range ? ": value out of range" : ": invalid syntax";
  return bad_data(std::move(message));
}

Result<bool> parse_boolean(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return false;
  std::string message = "strconv.ParseBool: parsing ";
  append_quoted(message, text);
  return bad_data(message + ": invalid syntax");
}

Error invalid_parameter(std::string_view name, const Error& error) {
  std::string message = "invalid parameter ";
  append_quoted(message, name);
  return bad_data(message + ": " + error.message);
}

Result<TimestampMs> time_parameter(const FormFields& form, std::string_view name, TimestampMs fallback) {
  std::string_view text = form.get(name);
  if (text.empty()) return fallback;
  auto time = parse_api_time(text);
  if (time.ok()) return time;
  return invalid_parameter(name,
                           bad_data("Invalid time value for '" + std::string(name) + "': " + time.error().message));
}

Result<TimestampMs> required_time_parameter(const FormFields& form, std::string_view name) {
  auto time = parse_api_time(form.get(name));
  if (!time.ok()) return invalid_parameter(name, time.error());
  return time;
}

Result<std::size_t> limit_parameter(const FormFields& form) {
  std::string_view text = form.get("limit");
  if (text.empty()) return std::size_t{0};
  auto limit = parse_integer(text);
  if (!limit.ok()) return invalid_parameter("limit", limit.error());
  if (*limit < 0) return invalid_parameter("limit", bad_data("limit must be non-negative"));
  return static_cast<std::size_t>(*limit);
}

Result<long> number_parameter(const FormFields& form, std::string_view name) {
  std::string_view text = form.get(name);
  if (text.empty()) return -1L;
  auto number = parse_integer(text);
  if (!number.ok()) return bad_data(std::string(name) + " must be a number");
  return number;
}

Result<SeriesSelection> series_selection(const FormFields& form) {
  SeriesSelection selection;
  auto limit = limit_parameter(form);
  if (!limit.ok()) return limit.error();
  selection.limit = *limit;
  auto start = time_parameter(form, "start", kMinTimestamp);
  if (!start.ok()) return start.error();
  selection.start = *start;
  auto end = time_parameter(form, "end", kMaxTimestamp);
  if (!end.ok()) return end.error();
  selection.end = *end;
  for (std::string_view text : form.all("match[]")) {
    auto matchers = parse_metric_selector(text);
    if (!matchers.ok()) return invalid_parameter("match[]", matchers.error());
    if (selects_everything(*matchers)) {
      return invalid_parameter("match[]", bad_data("match[] must contain at least one non-empty matcher"));
    }
    selection.matcher_sets.push_back(std::move(*matchers));
  }
  return selection;
}

}  // namespace pipit
