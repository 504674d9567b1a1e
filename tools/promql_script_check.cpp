#include "tools/promql_script_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <vector>

#include "model/duration.h"
#include "model/labels.h"
#include "model/number.h"

namespace pipit {
namespace {

using Points = std::map<TimestampMs, double>;

/// Upstream's tolerance.
bool almost_equal(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  const double magnitude = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  constexpr double kTolerance = 1e-6;
  if (a == 0 || b == 0 || magnitude < std::numeric_limits<double>::min()) {
    return difference < kTolerance * std::numeric_limits<double>::min();
  }
  return difference / std::min(magnitude, std::numeric_limits<double>::max()) < kTolerance;
}

bool almost_equal(const Points& a, const Points& b) {
  return std::ranges::equal(
      a, b, [](const auto& x, const auto& y) { return x.first == y.first && almost_equal(x.second, y.second); });
}

Labels labels_of(const ResultSeries& series, const SymbolTable& symbols) {
  std::vector<Label> labels;
  for (const auto& pair : series.labels) {
    labels.push_back({std::string(symbols.text(pair.name)), std::string(symbols.text(pair.value))});
  }
  return Labels(std::move(labels));
}

std::string text_of(std::string_view series, const Points& points, bool with_times) {
  constexpr std::size_t kShown = 50;
  std::string text(series);
  std::size_t shown = 0;
  for (auto [time, value] : points) {
    if (++shown > kShown) return text + " and " + std::to_string(points.size() - kShown) + " more";
    text += " " + format_float_g(value);
    if (with_times) text += "@" + format_duration(time);
  }
  return text;
}

/// Lines of text; "nothing" when there are none.
class Lines {
 public:
  void add(const std::string& line) {
    constexpr int kShown = 20;
    if (++count_ <= kShown) text_ += (text_.empty() ? "" : "\n") + line;
    if (count_ == kShown + 1) text_ += "\n...";
  }
  std::string text() const { return count_ == 0 ? "nothing" : text_; }

 private:
  std::string text_;
  int count_ = 0;
};

std::string text_of(const ExpectedText& expected) {
  return expected.regex ? "what matches " + expected.text : expected.text;
}

std::string joined(const std::vector<std::string>& texts) {
  Lines lines;
  for (const auto& text : texts) lines.add(text);
  return lines.text();
}

std::optional<Mismatch> check_failure(const ScriptEvaluation& e, const Result<QueryResult>& answer) {
  const std::string expected = "an error" + (e.failure ? ": " + text_of(*e.failure) : std::string());
  if (answer.ok()) return e.fails ? std::optional<Mismatch>({expected, "an answer"}) : std::nullopt;
  const std::string& message = answer.error().message;
  if (!e.fails) return Mismatch{"an answer", "an error: " + message};
  if (e.failure && !e.failure->matches(message)) return Mismatch{expected, "an error: " + message};
  return std::nullopt;
}

std::optional<Mismatch> check_remarks(std::string_view kind, const ExpectedRemarks& expected,
                                      const std::vector<std::string>& got) {
  const std::string some(kind);
  if (expected.none && !got.empty()) return Mismatch{"no " + some, joined(got)};
  if (expected.some && got.empty()) return Mismatch{some, "none"};
  for (const auto& text : expected.texts) {
    const bool found = std::ranges::any_of(got, [&](const auto& remark) { return text.matches(remark); });
    if (!found) return Mismatch{some + ": " + text_of(text), joined(got)};
  }
  for (const auto& remark : got) {
    const bool found = expected.texts.empty() ||
                       std::ranges::any_of(expected.texts, [&](const auto& text) { return text.matches(remark); });
    if (!found) return Mismatch{"no such " + some, remark};
  }
  return std::nullopt;
}

/// Where the script's points lie: from, to, step. A vector's one point lies at the time of evaluation.
ScriptEvaluation::Points grid_of(const ScriptEvaluation& e) {
  return e.range_vector.value_or(ScriptEvaluation::Points{e.start, e.end, e.step});
}

std::map<Labels, Points> expected_series(const ScriptEvaluation& e) {
  const auto grid = grid_of(e);
  std::map<Labels, Points> expected;
  for (const auto& series : e.series) {
    if (series.has_histograms) continue;
    Points points;
    for (std::size_t i = 0; i < series.points.size(); ++i) {
      if (series.points[i]) points[grid.from + static_cast<DurationMs>(i) * grid.step] = *series.points[i];
    }
    expected[series.labels] = std::move(points);
  }
  return expected;
}

/// The series that differ, or whose labels the answer has twice.
std::optional<Mismatch> check_series(const ScriptEvaluation& e, const QueryResult& answer) {
  auto expected = expected_series(e);
  const bool is_matrix = answer.type == ResultType::matrix;
  Lines wanted;
  Lines got;
  bool same = true;
  std::map<Labels, bool> seen;
  for (const auto& series : answer.series) {
    Points points;
    for (std::size_t i = 0; i < series.values.size(); ++i) points[(*series.times)[i]] = series.values[i];
    auto labels = labels_of(series, *answer.symbols);
    const bool again = !seen.emplace(labels, true).second;
    const auto found = expected.find(labels);
    if (!again && found != expected.end() && almost_equal(found->second, points)) continue;
    same = false;
    got.add(text_of(labels.to_string(), points, is_matrix));
    if (!again && found != expected.end()) wanted.add(text_of(labels.to_string(), found->second, is_matrix));
  }
  for (const auto& [labels, points] : expected) {
    if (seen.contains(labels)) continue;
    same = false;
    wanted.add(text_of(labels.to_string(), points, is_matrix));
  }
  if (same) return std::nullopt;
  return Mismatch{wanted.text(), got.text()};
}

std::optional<Mismatch> check_order(const ScriptEvaluation& e, const QueryResult& answer) {
  std::vector<Labels> wanted;
  for (const auto& series : e.series) {
    if (!series.has_histograms) wanted.push_back(series.labels);
  }
  std::vector<Labels> got;
  got.reserve(answer.series.size());
  for (const auto& series : answer.series) got.push_back(labels_of(series, *answer.symbols));
  if (answer.type == ResultType::matrix) {
    if (e.ordered) return Mismatch{"an ordered vector", "a matrix"};
    if (std::ranges::is_sorted(got)) return std::nullopt;
  } else if (!e.ordered || wanted == got) {
    return std::nullopt;
  }
  Lines wanted_lines;
  Lines got_lines;
  for (const auto& labels : wanted) wanted_lines.add(labels.to_string());
  for (const auto& labels : got) got_lines.add(labels.to_string());
  return Mismatch{"in this order: " + wanted_lines.text(), "in this order: " + got_lines.text()};
}

}  // namespace

std::optional<Mismatch> check_value(const ScriptEvaluation& e, const QueryResult& answer) {
  const auto text_of_expected = [&]() -> std::string {
    if (e.scalar) return "scalar " + format_float_g(*e.scalar);
    return e.string ? "string " + *e.string : "series";
  };
  switch (answer.type) {
    case ResultType::string:
      if (e.string && *e.string == answer.text) return std::nullopt;
      return Mismatch{text_of_expected(), "string " + answer.text};
    case ResultType::scalar: {
      if (answer.series.empty()) return Mismatch{text_of_expected(), "nothing"};
      const double got = answer.series[0].values[0];
      if (e.scalar && almost_equal(got, *e.scalar)) return std::nullopt;
      return Mismatch{text_of_expected(), "scalar " + format_float_g(got)};
    }
    default:
      if (e.scalar || e.string) return Mismatch{text_of_expected(), "series"};
      if (auto mismatch = check_series(e, answer)) return mismatch;
      return check_order(e, answer);
  }
}

std::optional<Mismatch> check_answer(const ScriptEvaluation& e, const Result<QueryResult>& answer) {
  auto failure = check_failure(e, answer);
  if (failure || !answer.ok()) return failure;
  if (auto mismatch = check_remarks("warnings", e.warnings, answer->warnings)) return mismatch;
  if (auto mismatch = check_remarks("infos", e.infos, answer->infos)) return mismatch;
  return check_value(e, *answer);
}

}  // namespace pipit
