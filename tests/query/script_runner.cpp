#include "tests/query/script_runner.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <sstream>

#include "model/duration.h"
#include "model/matcher.h"
#include "model/number.h"
#include "query/engine.h"
#include "query/function_table.h"
#include "query/parser.h"
#include "telemetry/metrics.h"
#include "tests/query/script_series.h"
#include "tests/storage/memory_store.h"

namespace pipit {
namespace {

/// Whether an annotation or failure must, must not or may be there, and in which words.
struct Expectation {
  enum class Kind { open, none, some } kind = Kind::open;
  std::string message;
  std::string regex;

  bool wants(std::string_view text) const {
    if (!message.empty()) return text == message;
    if (regex.empty()) return true;
    auto compiled = Regex::compile(".*(?:" + regex + ").*");
    return compiled.ok() && compiled->full_match(text);
  }
};

struct Evaluation {
  int line = 0;
  QueryRequest request;
  bool ordered = false;
  Expectation failure;
  Expectation warnings;
  Expectation infos;
  std::optional<double> scalar;
  std::optional<std::string> string;
  std::vector<ScriptSeries> series;
  /// Of a range vector: from, step.
  std::optional<std::pair<TimestampMs, DurationMs>> range_vector;
  bool expects_histograms = false;
};

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view take_word(std::string_view& text) {
  text = trim(text);
  auto word = text.substr(0, text.find_first_of(" \t"));
  text = trim(text.substr(word.size()));
  return word;
}

DurationMs duration_of(std::string_view text) {
  auto duration = parse_api_duration(text);
  return duration.ok() ? *duration : std::numeric_limits<DurationMs>::min();
}

/// Upstream's tolerance.
bool almost_equal(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  double magnitude = std::fabs(a) + std::fabs(b);
  double difference = std::fabs(a - b);
  constexpr double kTolerance = 1e-6;
  if (a == 0 || b == 0) return difference < kTolerance * std::numeric_limits<double>::min();
  return difference / magnitude < kTolerance;
}

Labels labels_of(const ResultSeries& series, const SymbolTable& symbols) {
  std::vector<Label> labels;
  for (const auto& pair : series.labels) {
    labels.push_back({std::string(symbols.text(pair.name)), std::string(symbols.text(pair.value))});
  }
  return Labels(std::move(labels));
}

using Points = std::map<TimestampMs, double>;

std::string text_of(const Points& points) {
  std::string text;
  for (auto [time, value] : points) text += " " + format_float_g(value) + "@" + std::to_string(time);
  return text;
}

class Script {
 public:
  Script(std::string_view name, std::string_view text) : name_(name) {
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) {
      auto content = trim(line);
      lines_.push_back(content.starts_with('#') ? std::string() : std::string(content));
    }
  }

  ScriptReport run() {
    clear();
    while (at_ < lines_.size()) {
      std::string_view rest = lines_[at_];
      auto command = take_word(rest);
      if (command.empty()) {
        ++at_;
      } else if (command == "clear") {
        clear();
        ++at_;
      } else if (command.starts_with("load")) {
        load(rest, command == "load_with_nhcb");
      } else if (command.starts_with("eval")) {
        Evaluation evaluation;
        if (auto problem = read_evaluation(command, rest, evaluation); !problem.empty()) {
          record(evaluation, problem);
        } else {
          record(evaluation, check(evaluation));
        }
      } else {
        fail_line(static_cast<int>(at_) + 1, "unknown command " + std::string(command));
        ++at_;
      }
    }
    return std::move(report_);
  }

 private:
  void clear() {
    engine_.reset();
    store_ = std::make_unique<MemoryStore>();
    left_out_.clear();
    EngineOptions options;
    options.max_samples = kMaxSamples;
    engine_ = std::make_unique<Engine>(*store_, options, metrics_);
  }

  void load(std::string_view step_text, bool with_nhcb) {
    DurationMs step = duration_of(step_text);
    std::map<Labels, std::vector<ScriptPoint>> loaded;  // of a series that is there twice, the last counts
    for (++at_; at_ < lines_.size() && !lines_[at_].empty(); ++at_) {
      auto series = parse_script_series(lines_[at_]);
      if (!series.ok()) {
        fail_line(static_cast<int>(at_) + 1, series.error().message);
        continue;
      }
      if (with_nhcb) leave_out_native_twin(series->labels);
      if (series->has_histograms || series->is_start_timestamps) left_out_.push_back(series->labels);
      loaded[series->labels] = std::move(series->points);
    }
    for (const auto& [labels, points] : loaded) {
      for (std::size_t i = 0; i < points.size(); ++i) {
        if (points[i]) store_->add(labels, static_cast<DurationMs>(i) * step, *points[i]);
      }
    }
  }

  /// The native histogram that upstream makes of classic buckets while loading.
  void leave_out_native_twin(Labels labels) {
    std::string name(labels.metric_name());
    for (std::string_view suffix : {"_bucket", "_count", "_sum"}) {
      if (!name.ends_with(suffix)) continue;
      labels.set(kMetricName, name.substr(0, name.size() - suffix.size()));
      labels.remove("le");
      left_out_.push_back(labels);
      return;
    }
  }

  std::string read_evaluation(std::string_view command, std::string_view rest, Evaluation& e) {
    e.line = static_cast<int>(at_) + 1;
    if (command == "eval_fail") e.failure.kind = Expectation::Kind::some;
    if (command == "eval_warn") e.warnings.kind = Expectation::Kind::some;
    if (command == "eval_info") e.infos.kind = Expectation::Kind::some;
    if (command == "eval_ordered") e.ordered = true;
    auto mode = take_word(rest);
    take_word(rest);  // at, from
    e.request.start = e.request.end = duration_of(take_word(rest));
    if (mode == "range") {
      take_word(rest);
      e.request.end = duration_of(take_word(rest));
      take_word(rest);
      e.request.step = duration_of(take_word(rest));
    }
    e.request.expr = std::string(rest);
    std::string problem;
    for (++at_; at_ < lines_.size() && !lines_[at_].empty(); ++at_) {
      auto line_problem = read_expectation(lines_[at_], e);
      if (problem.empty()) problem = line_problem;
    }
    return problem;
  }

  std::string read_expectation(std::string_view line, Evaluation& e) {
    if (auto number = parse_float(line)) {
      e.scalar = *number;
      return {};
    }
    std::string_view rest = line;
    if (take_word(rest) != "expect") {
      auto series = parse_script_series(line);
      if (!series.ok()) return series.error().message;
      e.expects_histograms |= series->has_histograms;
      e.series.push_back(std::move(*series));
      return {};
    }
    auto what = take_word(rest);
    if (what == "ordered") e.ordered = true;
    if (what == "string") {
      e.string = std::string(rest.substr(1, rest.size() - 2));
    } else if (what == "range") {
      for (int i = 0; i < 2; ++i) take_word(rest);  // vector from
      TimestampMs from = duration_of(take_word(rest));
      for (int i = 0; i < 3; ++i) take_word(rest);  // to <t> step
      e.range_vector = {from, duration_of(rest)};
    }
    set_expectation(what, rest, "fail", e.failure);
    set_expectation(what, rest, "warn", e.warnings);
    set_expectation(what, rest, "info", e.infos);
    return {};
  }

  static void set_expectation(std::string_view what, std::string_view rest, std::string_view name, Expectation& e) {
    if (what.starts_with("no_") && what.substr(3) == name) e.kind = Expectation::Kind::none;
    if (what != name) return;
    e.kind = Expectation::Kind::some;
    if (rest.starts_with("msg:")) e.message = std::string(trim(rest.substr(4)));
    if (rest.starts_with("regex:")) e.regex = std::string(trim(rest.substr(6)));
  }

  std::string check(const Evaluation& e) {
    auto result = engine_->query(e.request);
    if (auto problem = check_failure(e, result); !problem.empty() || !result.ok()) return problem;
    if (auto problem = check_remarks(e.warnings, result->warnings); !problem.empty()) return "warnings: " + problem;
    if (auto problem = check_remarks(e.infos, result->infos); !problem.empty()) return "infos: " + problem;
    if (auto problem = check_value(e, *result); !problem.empty()) return problem;
    return check_as_range(e);
  }

  static std::string check_failure(const Evaluation& e, const Result<QueryResult>& result) {
    bool must_fail = e.failure.kind == Expectation::Kind::some;
    if (result.ok()) return must_fail ? "should fail" : "";
    if (!must_fail) return "error: " + result.error().message;
    return e.failure.wants(result.error().message) ? "" : "other error: " + result.error().message;
  }

  static std::string check_remarks(const Expectation& expected, const std::vector<std::string>& remarks) {
    if (expected.kind == Expectation::Kind::none) return remarks.empty() ? "" : "unexpected " + remarks.front();
    if (expected.kind == Expectation::Kind::open) return {};
    for (const auto& remark : remarks) {
      if (expected.wants(remark)) return {};
    }
    return remarks.empty() ? "none" : "only " + remarks.front();
  }

  static std::string check_value(const Evaluation& e, const QueryResult& result) {
    if (e.string) return result.type == ResultType::string && result.text == *e.string ? "" : "other string";
    if (e.scalar) {
      if (result.type != ResultType::scalar) return "not a scalar";
      double got = result.series[0].values[0];
      return almost_equal(got, *e.scalar) ? "" : "got " + format_float_g(got);
    }
    if (e.ordered) return check_order(e, result);
    return check_series(e, result);
  }

  static std::string check_order(const Evaluation& e, const QueryResult& result) {
    if (e.series.size() != result.series.size()) return "got " + std::to_string(result.series.size()) + " series";
    for (std::size_t i = 0; i < e.series.size(); ++i) {
      auto labels = labels_of(result.series[i], *result.symbols);
      if (labels != e.series[i].labels) return "at place " + std::to_string(i) + ": got " + labels.to_string();
    }
    return check_series(e, result);
  }

  static std::string check_series(const Evaluation& e, const QueryResult& result) {
    std::map<Labels, Points> expected;
    TimestampMs start = e.range_vector ? e.range_vector->first : e.request.start;
    DurationMs step = e.range_vector ? e.range_vector->second : e.request.step;
    for (const auto& series : e.series) {
      Points points;
      for (std::size_t i = 0; i < series.points.size(); ++i) {
        if (series.points[i]) points[start + static_cast<DurationMs>(i) * step] = *series.points[i];
      }
      if (!points.empty()) expected[series.labels] = std::move(points);
    }
    std::map<Labels, Points> got;
    for (const auto& series : result.series) {
      Points points;
      for (std::size_t i = 0; i < series.values.size(); ++i) points[(*series.times)[i]] = series.values[i];
      auto labels = labels_of(series, *result.symbols);
      if (!got.emplace(labels, std::move(points)).second) return "twice: " + labels.to_string();
    }
    for (const auto& [labels, points] : got) {
      auto wanted = expected.find(labels);
      if (wanted == expected.end()) return "unexpected " + labels.to_string() + text_of(points);
      if (auto problem = compare(wanted->second, points); !problem.empty()) return labels.to_string() + problem;
      expected.erase(wanted);
    }
    return expected.empty() ? "" : "missing " + expected.begin()->first.to_string();
  }

  static std::string compare(const Points& expected, const Points& got) {
    bool same = expected.size() == got.size();
    for (auto e = expected.begin(), g = got.begin(); same && e != expected.end(); ++e, ++g) {
      same = e->first == g->first && almost_equal(e->second, g->second);
    }
    return same ? "" : " expected" + text_of(expected) + ", got" + text_of(got);
  }

  /// The instant query's answer must also be the middle of a range query's.
  std::string check_as_range(const Evaluation& e) {
    if (e.request.is_range() || e.ordered || e.string || e.range_vector) return {};
    for (std::string_view own : {"start()", "end()", "step()", "range()"}) {
      if (e.request.expr.find(own) != std::string::npos) return {};
    }
    constexpr DurationMs kMinute = 60'000;
    Evaluation ranged = e;
    ranged.request.start -= kMinute;
    ranged.request.end += kMinute;
    ranged.request.step = kMinute;
    auto result = engine_->query(ranged.request);
    if (!result.ok()) return "as a range: error: " + result.error().message;
    QueryResult middle;
    middle.type = e.scalar ? ResultType::scalar : ResultType::vector;
    middle.symbols = result->symbols;
    for (const auto& series : result->series) {
      for (std::size_t i = 0; i < series.values.size(); ++i) {
        if ((*series.times)[i] != e.request.start) continue;
        auto time = std::make_shared<const std::vector<TimestampMs>>(1, e.request.start);
        middle.series.push_back({series.labels, time, {series.values[i]}});
      }
    }
    auto problem = check_value(e, middle);
    return problem.empty() ? "" : "as a range: " + problem;
  }

  void record(const Evaluation& e, const std::string& problem) {
    if (problem.empty()) {
      ++report_.passed;
    } else if (e.expects_histograms || touches_left_out(e.request.expr)) {
      ++report_.skipped;
    } else {
      ++report_.failed;
      report_.failures.push_back(name_ + ":" + std::to_string(e.line) + ": " + e.request.expr + ": " + problem);
    }
  }

  void fail_line(int line, const std::string& problem) {
    ++report_.failed;
    report_.failures.push_back(name_ + ":" + std::to_string(line) + ": " + problem);
  }

  /// Whether the query selects a series that could not be loaded.
  bool touches_left_out(const std::string& query) const {
    auto expr = parse_query(query);
    return expr.ok() && touches_left_out(**expr);
  }

  bool touches_left_out(const Expr& expr) const {
    auto child = [this](const ExprPtr& e) { return e && touches_left_out(*e); };
    if (const auto* e = expr.as<VectorSelector>()) return selects_left_out(*e);
    if (const auto* e = expr.as<MatrixSelector>()) return child(e->selector);
    if (const auto* e = expr.as<SubqueryExpr>()) return child(e->expr);
    if (const auto* e = expr.as<AggregateExpr>()) return child(e->expr) || child(e->param);
    if (const auto* e = expr.as<BinaryExpr>()) return child(e->lhs) || child(e->rhs);
    if (const auto* e = expr.as<UnaryExpr>()) return child(e->expr);
    if (const auto* e = expr.as<ParenExpr>()) return child(e->expr);
    if (const auto* e = expr.as<Call>()) return std::ranges::any_of(e->args, child);
    return false;
  }

  bool selects_left_out(const VectorSelector& selector) const {
    return std::ranges::any_of(left_out_, [&](const Labels& labels) {
      return std::ranges::all_of(selector.matchers, [&](const Matcher& m) { return m.matches(labels.get(m.name())); });
    });
  }

  static constexpr std::uint64_t kMaxSamples = 10'000;
  std::string name_;
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
  MetricsRegistry metrics_;
  std::unique_ptr<MemoryStore> store_;
  std::unique_ptr<Engine> engine_;
  std::vector<Labels> left_out_;
  ScriptReport report_;
};

}  // namespace

ScriptReport run_script(std::string_view name, std::string_view text) { return Script(name, text).run(); }

ScriptReport run_script_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    ScriptReport report;
    report.failed = 1;
    report.failures.push_back(path + ": can't be read");
    return report;
  }
  std::ostringstream text;
  text << in.rdbuf();
  return run_script(path.substr(path.rfind('/') + 1), text.str());
}

}  // namespace pipit
