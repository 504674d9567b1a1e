#include "tests/query/script_series.h"

#include <cmath>
#include <limits>
#include <string>

#include "model/number.h"
#include "model/sample.h"

namespace pipit {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
}

/// Takes a quoted string, escapes resolved, off the front.
std::optional<std::string> take_quoted(std::string_view& text) {
  if (text.empty() || text.front() != '"') return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return out;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return std::nullopt;
}

std::string take_name(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && !is_space(text[n]) && std::string_view("{}=,@").find(text[n]) == std::string_view::npos)
    ++n;
  std::string name(text.substr(0, n));
  text.remove_prefix(n);
  return name;
}

std::optional<std::vector<Label>> take_labels(std::string_view& text) {
  std::vector<Label> labels;
  if (std::string name = take_name(text); !name.empty()) labels.push_back({std::string(kMetricName), name});
  if (text.empty() || text.front() != '{') return labels;
  text.remove_prefix(1);
  for (;;) {
    skip_spaces(text);
    if (text.empty()) return std::nullopt;
    if (text.front() == '}') break;
    bool quoted_name = text.front() == '"';
    auto name = quoted_name ? take_quoted(text) : std::optional(take_name(text));
    if (!name || name->empty()) return std::nullopt;
    skip_spaces(text);
    if (quoted_name && !text.empty() && text.front() != '=') {
      labels.push_back({std::string(kMetricName), *name});
    } else {
      if (text.empty() || text.front() != '=') return std::nullopt;
      text.remove_prefix(1);
      skip_spaces(text);
      auto value = take_quoted(text);
      if (!value) return std::nullopt;
      labels.push_back({*name, *value});
    }
    skip_spaces(text);
    if (!text.empty() && text.front() == ',') text.remove_prefix(1);
  }
  text.remove_prefix(1);
  return labels;
}

/// Takes a number off the front; 'x' is never part of one, as it says how often to repeat.
std::optional<double> take_number(std::string_view& text) {
  std::size_t n = 0;
  if (n < text.size() && (text[n] == '+' || text[n] == '-')) ++n;
  if (n < text.size() && std::isalpha(static_cast<unsigned char>(text[n])) != 0) {
    n += 3;  // Inf, NaN
  } else {
    while (n < text.size() && (is_digit(text[n]) || text[n] == '.')) ++n;
    if (n < text.size() && (text[n] == 'e' || text[n] == 'E')) {
      ++n;
      if (n < text.size() && (text[n] == '+' || text[n] == '-')) ++n;
      while (n < text.size() && is_digit(text[n])) ++n;
    }
  }
  auto number = parse_float(text.substr(0, n));
  text.remove_prefix(std::min(n, text.size()));
  return number;
}

/// `x<n>` at the end of a point; 0 times without it.
std::optional<int> take_times(std::string_view text) {
  if (text.empty()) return 0;
  if (text.front() != 'x') return std::nullopt;
  auto times = parse_float(text.substr(1));
  if (!times || *times < 0 || *times > 1e6) return std::nullopt;
  return static_cast<int>(*times);
}

bool add_points(std::string_view token, std::vector<ScriptPoint>& points) {
  if (token.front() == '_') {
    auto times = take_times(token.substr(1));
    if (!times) return false;
    points.insert(points.end(), token.size() == 1 ? 1 : static_cast<std::size_t>(*times), std::nullopt);
    return true;
  }
  if (token.starts_with("stale")) {
    auto times = take_times(token.substr(5));
    if (!times) return false;
    points.insert(points.end(), static_cast<std::size_t>(*times) + 1, stale_nan());
    return true;
  }
  auto value = take_number(token);
  if (!value) return false;
  double step = 0;
  if (!token.empty() && (token.front() == '+' || token.front() == '-')) {
    auto change = take_number(token);
    if (!change) return false;
    step = *change;
  }
  auto times = take_times(token);
  if (!times) return false;
  // Added up, as upstream does.
  for (double v = *value; *times >= 0; --*times, v += step) points.emplace_back(v);
  return true;
}

}  // namespace

Result<ScriptSeries> parse_script_series(std::string_view line) {
  std::string_view rest = line;
  skip_spaces(rest);
  ScriptSeries series;
  auto labels = take_labels(rest);
  if (!labels) return bad_data("not a series: " + std::string(line));
  series.labels = Labels(std::move(*labels));
  series.has_histograms = rest.find("{{") != std::string_view::npos;
  series.is_start_timestamps = rest.starts_with("@st");
  if (series.has_histograms || series.is_start_timestamps) return series;
  for (skip_spaces(rest); !rest.empty(); skip_spaces(rest)) {
    std::size_t n = 0;
    while (n < rest.size() && !is_space(rest[n])) ++n;
    if (!add_points(rest.substr(0, n), series.points)) {
      return bad_data("not a point: " + std::string(rest.substr(0, n)));
    }
    rest.remove_prefix(n);
  }
  return series;
}

}  // namespace pipit
