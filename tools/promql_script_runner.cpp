#include "tools/promql_script_runner.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <system_error>

#include "model/duration.h"
#include "model/labels.h"
#include "query/engine.h"
#include "query/function_table.h"
#include "query/parser.h"
#include "tools/temporary_store.h"

namespace pipit {
namespace {

constexpr DurationMs kMinute = 60'000;
constexpr std::uint64_t kMaxSamples = 10'000;

/// Functions whose value depends on the time of evaluation even when `@` fixes all that they read.
constexpr std::array<std::string_view, 11> kDependOnTime = {
    "day_of_month", "day_of_week",    "day_of_year", "days_in_month", "hour", "minute",
    "month",        "predict_linear", "time",        "timestamp",     "year"};
/// Those that tell for which times a query asks.
constexpr std::array<std::string_view, 4> kDependOnQuery = {"end", "range", "start", "step"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Sets `@ time` where no time is fixed; `@ start()` is the time of an instant query too. False when the expression
/// would change its value with the time of evaluation nevertheless.
bool fix_times(Expr& expr, TimestampMs time) {
  const auto fix = [time](AtModifier& at) {
    if (at.kind != AtModifier::Kind::timestamp) at = {AtModifier::Kind::timestamp, time};
  };
  if (auto* selector = expr.as<VectorSelector>()) fix(selector->at);
  if (auto* subquery = expr.as<SubqueryExpr>()) {
    // What is inside is evaluated at times that this one decides.
    fix(subquery->at);
    return true;
  }
  if (const auto* call = expr.as<Call>()) {
    const auto name = call->function->name;
    if (contains(kDependOnTime, name) || contains(kDependOnQuery, name)) return false;
  }
  bool fixed = true;
  for_each_child(expr, [&](Expr& child) { fixed = fixed && fix_times(child, time); });
  return fixed;
}

bool depends_on_query(std::string_view expr) {
  return std::ranges::any_of(kDependOnQuery,
                             [&](auto name) { return expr.find(std::string(name) + "()") != expr.npos; });
}

/// Series that could not be loaded, and why.
class LeftOut {
 public:
  void clear() { series_.clear(); }
  void add(Labels labels, std::string_view why) { series_.push_back({std::move(labels), why}); }

  /// The native histogram that upstream makes of classic buckets while loading.
  void add_native_twin(Labels labels) {
    const std::string name(labels.metric_name());
    for (std::string_view suffix : {"_bucket", "_count", "_sum"}) {
      if (!name.ends_with(suffix)) continue;
      labels.set(kMetricName, name.substr(0, name.size() - suffix.size()));
      labels.remove("le");
      return add(std::move(labels), "selects native histograms made of classic ones");
    }
  }

  /// Why an expression can't give what upstream gives; "" when it can.
  std::string why(const Expr& expr) const {
    if (const auto* selector = expr.as<VectorSelector>()) return why(*selector);
    std::string found;
    for_each_child(expr, [&](const Expr& child) {
      if (found.empty()) found = why(child);
    });
    return found;
  }

 private:
  struct Series {
    Labels labels;
    std::string_view why;
  };

  std::string why(const VectorSelector& selector) const {
    const auto found = std::ranges::find_if(series_, [&](const Series& series) {
      return std::ranges::all_of(selector.matchers,
                                 [&](const Matcher& m) { return m.matches(series.labels.get(m.name())); });
    });
    return found == series_.end() ? std::string() : std::string(found->why);
  }

  std::vector<Series> series_;
};

class Runner {
 public:
  Runner(std::string file, const std::atomic<bool>* canceled) : canceled_(canceled) { report_.file = std::move(file); }

  Result<ScriptReport> run(const std::vector<ScriptCommand>& commands) {
    if (auto status = clear(); !status.ok()) return status.error();
    for (const auto& command : commands) {
      if (canceled_ != nullptr && canceled_->load()) return Error{ErrorKind::canceled, "interrupted"};
      Status status;
      if (std::holds_alternative<ScriptClear>(command)) status = clear();
      if (const auto* load = std::get_if<ScriptLoad>(&command)) status = this->load(*load);
      if (!status.ok()) return status.error();
      if (const auto* evaluation = std::get_if<ScriptEvaluation>(&command)) evaluate(*evaluation);
    }
    return std::move(report_);
  }

 private:
  Status clear() {
    left_out_.clear();
    if (engine_ && !loaded_) return {};
    loaded_ = false;
    engine_.reset();
    store_.reset();
    auto store = TemporaryStore::open();
    if (!store.ok()) return store.error();
    store_ = std::move(*store);
    EngineOptions options;
    options.max_samples = kMaxSamples;
    engine_ = std::make_unique<Engine>(store_->store(), options, store_->metrics());
    return {};
  }

  Status load(const ScriptLoad& load) {
    loaded_ = true;
    std::map<Labels, const ScriptSeries*> series;  // of one that is there twice, the last counts
    for (const auto& line : load.series) {
      if (line.is_start_timestamps) {
        left_out_.add(line.labels, "selects series with start timestamps");
        continue;
      }
      if (line.has_histograms) left_out_.add(line.labels, "selects native histograms");
      if (load.with_nhcb) left_out_.add_native_twin(line.labels);
      series[line.labels] = &line;
    }
    for (const auto& [labels, line] : series) {
      if (auto status = append(labels, line->points, load.step); !status.ok()) {
        return bad_data(report_.file + ":" + std::to_string(load.line) + ": " + status.error().message);
      }
    }
    return {};
  }

  Status append(const Labels& labels, const std::vector<ScriptPoint>& points, DurationMs step) {
    std::vector<TimestampMs> times;
    std::vector<double> values;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!points[i]) continue;
      times.push_back(static_cast<DurationMs>(i) * step);
      values.push_back(*points[i]);
    }
    if (times.empty()) return {};
    auto ref = store_->store().series(labels);
    if (!ref.ok()) return ref.error();
    const std::vector<SeriesRef> refs(times.size(), *ref);
    auto report = store_->store().append({refs, values, times});
    if (!report.ok()) return report.error();
    if (report->stored == times.size()) return {};
    return bad_data("samples of " + labels.to_string() + " do not follow those that are there");
  }

  void evaluate(const ScriptEvaluation& e) {
    ScriptOutcome outcome;
    outcome.line = e.line;
    outcome.expr = e.expr;
    auto expr = parse_query(e.expr);
    outcome.expects_histograms = e.expects_histograms();
    if (outcome.expects_histograms) outcome.needs = "expects native histograms";
    if (outcome.needs.empty() && expr.ok()) outcome.needs = left_out_.why(**expr);
    check_all(e, expr, outcome);
    if (outcome.mismatch)
      outcome.kind = outcome.needs.empty() ? ScriptOutcome::Kind::failed : ScriptOutcome::Kind::skipped;
    report_.outcomes.push_back(std::move(outcome));
  }

  void check_all(const ScriptEvaluation& e, Result<ExprPtr>& expr, ScriptOutcome& outcome) {
    if (!check(e, outcome) || e.is_range() || e.fails || !expr.ok()) return;
    const TimestampMs time = e.range_vector ? e.range_vector->to : e.start;
    if (!fix_times(**expr, time)) return;
    ScriptEvaluation fixed = e;
    fixed.expr = to_string(**expr);
    for (const TimestampMs other : time == 0 ? std::vector<TimestampMs>{-1000, 0, 1000}
                                             : std::vector<TimestampMs>{-10 * time, 0, time / 5, time, 10 * time}) {
      fixed.start = fixed.end = other;
      outcome.variant = "as " + fixed.expr + " at " + format_duration(other);
      if (!check(fixed, outcome)) return;
    }
    outcome.variant.clear();
  }

  /// False when the answer is not as expected.
  bool check(const ScriptEvaluation& e, ScriptOutcome& outcome) {
    auto answer = query(e.expr, e.start, e.end, e.step);
    outcome.mismatch = check_answer(e, answer);
    if (!outcome.mismatch && answer.ok()) check_as_range(e, *answer, outcome);
    return !outcome.mismatch;
  }

  /// An instant query's answer must also be the middle of a range query's.
  void check_as_range(const ScriptEvaluation& e, const QueryResult& answer, ScriptOutcome& outcome) {
    const bool is_vector = answer.type == ResultType::vector;
    if (e.is_range() || e.ordered || e.range_vector || depends_on_query(e.expr)) return;
    if (!is_vector && answer.type != ResultType::scalar) return;
    auto range = query(e.expr, e.start - kMinute, e.end + kMinute, kMinute);
    if (!range.ok()) {
      outcome.mismatch = Mismatch{"an answer", "an error: " + range.error().message};
    } else {
      outcome.mismatch = check_value(e, middle_of(*range, answer.type, e.start));
    }
    if (outcome.mismatch) outcome.variant += outcome.variant.empty() ? "as a range query" : ", as a range query";
  }

  static QueryResult middle_of(const QueryResult& range, ResultType type, TimestampMs time) {
    QueryResult middle;
    middle.type = type;
    middle.symbols = range.symbols;
    const auto times = std::make_shared<const std::vector<TimestampMs>>(1, time);
    for (const auto& series : range.series) {
      const auto found = std::ranges::find(*series.times, time);
      if (found == series.times->end()) continue;
      const double value = series.values[static_cast<std::size_t>(found - series.times->begin())];
      middle.series.push_back({series.labels, times, {value}});
    }
    return middle;
  }

  Result<QueryResult> query(const std::string& expr, TimestampMs start, TimestampMs end, DurationMs step) const {
    QueryRequest request;
    request.expr = expr;
    request.start = start;
    request.end = end;
    request.step = step;
    request.canceled = canceled_;
    return engine_->query(request);
  }

  const std::atomic<bool>* canceled_;
  bool loaded_ = false;
  std::unique_ptr<TemporaryStore> store_;
  std::unique_ptr<Engine> engine_;
  LeftOut left_out_;
  ScriptReport report_;
};

}  // namespace

std::size_t ScriptReport::count(ScriptOutcome::Kind kind) const {
  return static_cast<std::size_t>(std::ranges::count(outcomes, kind, &ScriptOutcome::kind));
}

Result<ScriptReport> run_promql_script(const std::string& file, std::string_view text,
                                       const std::atomic<bool>* canceled) {
  auto commands = parse_promql_script(text);
  if (!commands.ok()) return bad_data(file + ":" + commands.error().message);
  return Runner(file, canceled).run(*commands);
}

Result<ScriptReport> run_promql_script_file(const std::string& path, const std::atomic<bool>* canceled) {
  std::error_code error;
  std::ifstream in(path);
  // A folder can be opened like a file, and seems to be an empty one.
  if (!in || std::filesystem::is_directory(path, error)) return bad_data(path + ": can't be read");
  std::ostringstream text;
  text << in.rdbuf();
  return run_promql_script(path, text.str(), canceled);
}

}  // namespace pipit
