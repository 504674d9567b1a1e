#include "tools/script_series.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "model/matcher.h"
#include "model/number.h"
#include "model/sample.h"
#include "query/parser.h"

namespace pipit {
namespace {

// A line that repeats a point more often is a slip, and would fill the memory.
constexpr std::size_t kMaxPoints = 1'000'000;

bool is_space(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
}

/// Where the quoted string that starts at `start` ends; the end of the text if nowhere.
std::size_t end_of_string(std::string_view text, std::size_t start) {
  const char quote = text[start];
  for (std::size_t i = start + 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote != '`') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    }
  }
  return text.size();
}

/// How many bytes of the line are the series' name and labels.
std::size_t selector_size(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size() && !is_space(line[at]) && line[at] != '{' && line[at] != '@') ++at;
  std::size_t brace = at;
  while (brace < line.size() && is_space(line[brace])) ++brace;
  // Two braces are a histogram's, and belong to the values.
  if (brace == line.size() || line[brace] != '{' || line.substr(brace).starts_with("{{")) return at;
  for (std::size_t i = brace + 1; i < line.size();) {
    if (line[i] == '}') return i + 1;
    const bool is_quote = line[i] == '"' || line[i] == '\'' || line[i] == '`';
    i = is_quote ? end_of_string(line, i) : i + 1;
  }
  return line.size();
}

/// Labels are written as a selector is, with `=` alone.
Result<Labels> parse_labels(std::string_view text) {
  if (text.empty()) return Labels();
  auto matchers = parse_metric_selector(text);
  if (!matchers.ok()) return matchers.error();
  std::vector<Label> labels;
  for (const Matcher& matcher : *matchers) {
    if (matcher.type() != MatchType::equal) return bad_data("not a label: " + matcher.to_string());
    labels.push_back({matcher.name(), matcher.value()});
  }
  return Labels(std::move(labels));
}

/// Takes a number off the front; 'x' is never part of one, as it says how often to repeat.
std::optional<double> take_number(std::string_view& text) {
  std::size_t n = 0;
  if (n < text.size() && (text[n] == '+' || text[n] == '-')) ++n;
  if (n < text.size() && std::isalpha(static_cast<unsigned char>(text[n])) != 0) {
    n = std::min(n + 3, text.size());  // Inf, NaN
  } else {
    while (n < text.size() && (is_digit(text[n]) || text[n] == '.')) ++n;
    if (n < text.size() && (text[n] == 'e' || text[n] == 'E')) {
      ++n;
      if (n < text.size() && (text[n] == '+' || text[n] == '-')) ++n;
      while (n < text.size() && is_digit(text[n])) ++n;
    }
  }
  auto number = parse_float(text.substr(0, n));
  text.remove_prefix(n);
  return number;
}

/// `x<n>` at the end of a point; 0 times without it.
std::optional<std::size_t> take_times(std::string_view text) {
  if (text.empty()) return 0;
  if (text.size() < 2 || text.size() > 8 || text.front() != 'x') return std::nullopt;
  std::size_t times = 0;
  for (const char c : text.substr(1)) {
    if (!is_digit(c)) return std::nullopt;
    times = times * 10 + static_cast<std::size_t>(c - '0');
  }
  return times;
}

struct RepeatedPoint {
  ScriptPoint first;
  double change = 0;
  std::size_t count = 1;
};

std::optional<RepeatedPoint> parse_point(std::string_view token) {
  RepeatedPoint point;
  bool is_gap = token.front() == '_';
  if (is_gap) {
    token.remove_prefix(1);
  } else if (token.starts_with("stale")) {
    point.first = stale_nan();
    token.remove_prefix(5);
  } else {
    point.first = take_number(token);
    if (!point.first) return std::nullopt;
    if (!token.empty() && token.front() != 'x') {
      auto change = take_number(token);
      if (!change || token.empty()) return std::nullopt;
      point.change = *change;
    }
  }
  auto times = take_times(token);
  if (!times) return std::nullopt;
  // `1x2` are three points, but `_x2` are two.
  point.count = is_gap ? (token.empty() ? 1 : *times) : *times + 1;
  return point;
}

}  // namespace

Result<ScriptSeries> parse_script_series(std::string_view line) {
  skip_spaces(line);
  ScriptSeries series;
  const std::size_t size = selector_size(line);
  auto labels = parse_labels(line.substr(0, size));
  if (!labels.ok()) return labels.error();
  series.labels = std::move(*labels);
  std::string_view rest = line.substr(size);
  series.has_histograms = rest.find("{{") != std::string_view::npos;
  series.is_start_timestamps = rest.starts_with("@st");
  if (series.has_histograms || series.is_start_timestamps) return series;
  if (!rest.empty() && !is_space(rest.front())) return bad_data("not a series: " + std::string(line));
  for (skip_spaces(rest); !rest.empty(); skip_spaces(rest)) {
    std::size_t n = 0;
    while (n < rest.size() && !is_space(rest[n])) ++n;
    auto point = parse_point(rest.substr(0, n));
    if (!point) return bad_data("not a point: " + std::string(rest.substr(0, n)));
    if (point->count > kMaxPoints - series.points.size()) return bad_data("more than a million points");
    // Added up, as upstream does.
    for (; point->count > 0; --point->count) {
      series.points.push_back(point->first);
      // To add 0 to the stale marker would make an ordinary NaN of it.
      if (point->change != 0) *point->first += point->change;
    }
    rest.remove_prefix(n);
  }
  return series;
}

}  // namespace pipit
