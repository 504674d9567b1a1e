#include "tools/rule_test_runner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>

#include "model/duration.h"
#include "model/number.h"
#include "query/engine.h"
#include "query/parser.h"
#include "rules/alerting_rule.h"
#include "rules/rule_group.h"
#include "tools/temporary_store.h"

namespace pipit {
namespace {

/// More evaluations than that are a slip in a time.
constexpr std::int64_t kMostEvaluations = 10'000'000;

std::string to_text(const ExpectedAlert& alert) {
  return "Labels:" + alert.labels.to_string() + " Annotations:" + alert.annotations.to_string();
}

std::string to_text(const ExpectedSample& sample) {
  return sample.labels.to_string() + " " + (sample.is_histogram ? "a histogram" : format_float_g(sample.value));
}

template <class T>
std::string list_text(const std::vector<T>& list) {
  if (list.empty()) return "[]";
  std::string text = "[";
  for (std::size_t i = 0; i < list.size(); ++i) {
    text += "\n            " + std::to_string(i) + ": " + to_text(list[i]);
  }
  return text + "\n            ]";
}

template <class T>
std::string comparison(const std::vector<T>& expected, const std::vector<T>& got, bool diff) {
  if (!diff) return "\n        exp:" + list_text(expected) + ",\n        got:" + list_text(got);
  std::vector<std::string> missing;
  std::vector<std::string> excess;
  missing.reserve(expected.size());
  excess.reserve(got.size());
  for (const T& each : expected) missing.push_back(to_text(each));
  for (const T& each : got) excess.push_back(to_text(each));
  std::sort(missing.begin(), missing.end());
  std::sort(excess.begin(), excess.end());
  std::string text = "\n        diff (- expected, + got):";
  std::vector<std::string> only;
  std::set_difference(missing.begin(), missing.end(), excess.begin(), excess.end(), std::back_inserter(only));
  for (const std::string& line : only) text += "\n          - " + line;
  only.clear();
  std::set_difference(excess.begin(), excess.end(), missing.begin(), missing.end(), std::back_inserter(only));
  for (const std::string& line : only) text += "\n          + " + line;
  return text;
}

bool same_value(double a, double b, bool fuzzy) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  const double infinity = std::numeric_limits<double>::infinity();
  return fuzzy && (std::nextafter(a, infinity) == b || std::nextafter(a, -infinity) == b);
}

/// One test with its store.
class Run {
 public:
  Run(const RuleTestFile& file, const RuleTest& test, const RuleTestOptions& options, TemporaryStore& temporary)
      : file_(file),
        test_(test),
        options_(options),
        temporary_(temporary),
        engine_(temporary.store(), engine_options(file), temporary.metrics()),
        context_{temporary.store(), temporary.store(), temporary.metrics()} {}

  RuleTestOutcome run(std::vector<RuleGroupConfig> groups) {
    outcome_.name = test_.name;
    make_groups(std::move(groups));
    if (const Status loaded = find_series(); !loaded.ok()) {
      outcome_.failures.push_back("    " + loaded.error().message);
      return std::move(outcome_);
    }
    if (evaluate_rules()) {
      for (const ExpressionTest& each : test_.expression_tests) check_expression(each);
    }
    if (options_.debug) describe_store();
    return std::move(outcome_);
  }

 private:
  static EngineOptions engine_options(const RuleTestFile& file) {
    EngineOptions options;
    options.default_subquery_step = file.evaluation_interval;
    return options;
  }

  void make_groups(std::vector<RuleGroupConfig> configs) {
    const auto place = [&](const std::string& name) {
      const auto found = std::find(file_.group_eval_order.begin(), file_.group_eval_order.end(), name);
      return found == file_.group_eval_order.end() ? 0 : found - file_.group_eval_order.begin();
    };
    std::stable_sort(configs.begin(), configs.end(),
                     [&](const RuleGroupConfig& a, const RuleGroupConfig& b) { return place(a.name) < place(b.name); });
    const auto surroundings =
        std::make_shared<const RuleSurroundings>(RuleSurroundings{engine_, test_.external_labels, test_.external_url});
    for (RuleGroupConfig& config : configs) {
      if (config.interval == 0) config.interval = file_.evaluation_interval;
      groups_.push_back(std::make_unique<RuleGroup>(std::move(config), context_, surroundings, true));
    }
  }

  // ---- the series -------------------------------------------------------------------------------------------------

  Status find_series() {
    for (const ScriptSeries& series : test_.series) {
      if (series.has_histograms || series.is_start_timestamps) {
        histograms_.push_back(series.labels);
        continue;
      }
      auto ref = temporary_.store().series(series.labels);
      if (!ref.ok()) return ref.error();
      loaded_.push_back({*ref, &series.points, 0});
    }
    return {};
  }

  /// Stores the points up to a time.
  Status load_until(TimestampMs time) {
    const DurationMs interval = test_.interval != 0 ? test_.interval : file_.evaluation_interval;
    std::vector<SeriesRef> refs;
    std::vector<double> values;
    std::vector<TimestampMs> times;
    for (Loaded& series : loaded_) {
      for (; series.next < series.points->size(); ++series.next) {
        const TimestampMs at = test_.start + static_cast<TimestampMs>(series.next) * interval;
        if (at > time) break;
        const ScriptPoint& point = (*series.points)[series.next];
        if (!point) continue;
        refs.push_back(series.ref);
        values.push_back(*point);
        times.push_back(at);
      }
    }
    if (refs.empty()) return {};
    const auto report = temporary_.store().append({refs, values, times});
    return report.ok() ? Status() : Status(report.error());
  }

  // ---- the rules ----------------------------------------------------------------------------------------------------

  DurationMs last_time() const {
    DurationMs last = 0;
    for (const AlertTest& each : test_.alert_tests) last = std::max(last, each.time);
    for (const ExpressionTest& each : test_.expression_tests) last = std::max(last, each.time);
    return last;
  }

  /// False when a rule fails, which ends the test.
  bool evaluate_rules() {
    const DurationMs last = last_time();
    const DurationMs step = file_.evaluation_interval;
    if (last / step > kMostEvaluations) {
      outcome_.failures.push_back("    more than " + std::to_string(kMostEvaluations) +
                                  " evaluations: evaluation_interval is too short for the times of the test");
      return false;
    }
    for (DurationMs passed = 0; passed <= last; passed += step) {
      if (options_.interrupted != nullptr && *options_.interrupted) return false;
      const Status loaded = load_until(test_.start + passed);
      if (!loaded.ok()) outcome_.failures.push_back("    " + loaded.error().message);
      bool good = loaded.ok();
      for (const auto& group : groups_) {
        group->evaluate(test_.start + passed);
        good = collect_errors(*group, passed) && good;
      }
      if (!good) return false;
      for (const AlertTest& each : test_.alert_tests) {
        if (each.time >= passed && each.time < passed + step) check_alerts(each);
      }
    }
    return true;
  }

  bool collect_errors(const RuleGroup& group, DurationMs passed) {
    bool good = true;
    for (const auto& rule : group.rules()) {
      const RuleStatus status = rule->status();
      if (status.last_error.empty()) continue;
      good = false;
      outcome_.failures.push_back("    rule: " + rule->config().name + ", time: " + format_duration(passed) +
                                  ", err: " + status.last_error);
    }
    return good;
  }

  void check_alerts(const AlertTest& test) {
    std::vector<ExpectedAlert> got;
    for (const auto& group : groups_) {
      if (!test.group.empty() && group->name() != test.group) continue;
      for (const auto& rule : group->rules()) {
        const auto* alerting = dynamic_cast<const AlertingRule*>(rule.get());
        if (alerting == nullptr || rule->config().name != test.alert) continue;
        for (const auto& [labels, alert] : alerting->active()) {
          if (alert.state == AlertState::firing) got.push_back({labels, Labels(alert.annotations)});
        }
      }
    }
    std::vector<ExpectedAlert> expected = test.alerts;
    const auto before = [](const ExpectedAlert& a, const ExpectedAlert& b) {
      return std::tie(a.labels, a.annotations) < std::tie(b.labels, b.annotations);
    };
    std::sort(got.begin(), got.end(), before);
    std::sort(expected.begin(), expected.end(), before);
    const bool same = std::equal(got.begin(), got.end(), expected.begin(), expected.end(),
                                 [](const ExpectedAlert& a, const ExpectedAlert& b) {
                                   return a.labels == b.labels && a.annotations == b.annotations;
                                 });
    if (same) return;
    outcome_.failures.push_back("    alertname: " + test.alert + ", time: " + format_duration(test.time) + "," +
                                comparison(expected, got, options_.diff));
  }

  // ---- expressions ------------------------------------------------------------------------------------------------

  bool reads_histograms(const Expr& expr) const {
    bool reads = false;
    if (const auto* selector = expr.as<VectorSelector>()) {
      reads = std::any_of(histograms_.begin(), histograms_.end(), [&](const Labels& labels) {
        return std::all_of(selector->matchers.begin(), selector->matchers.end(),
                           [&](const Matcher& matcher) { return matcher.matches(labels.get(matcher.name())); });
      });
    }
    for_each_child(expr, [&](const Expr& child) { reads = reads || reads_histograms(child); });
    return reads;
  }

  void check_expression(const ExpressionTest& test) {
    const std::string where = "    expr: \"" + test.expr + "\", time: " + format_duration(test.time);
    const auto parsed = parse_query(test.expr);
    const bool expects = std::any_of(test.samples.begin(), test.samples.end(),
                                     [](const ExpectedSample& sample) { return sample.is_histogram; });
    if (expects || (parsed.ok() && reads_histograms(**parsed))) {
      outcome_.skipped.push_back(where + ": native histograms are not stored yet");
      return;
    }
    QueryRequest request;
    request.expr = test.expr;
    request.start = request.end = test_.start + test.time;
    const auto result = engine_.query(request);
    if (!result.ok()) {
      outcome_.failures.push_back(where + ", err: " + result.error().message);
      return;
    }
    if (result->type != ResultType::vector && result->type != ResultType::scalar) {
      outcome_.failures.push_back(where + ", err: the result is not a vector or scalar");
      return;
    }
    std::vector<ExpectedSample> got;
    for (const ResultSeries& series : result->series) {
      got.push_back({Labels(labels_of(*result, series.labels)), series.values.front()});
    }
    std::vector<ExpectedSample> expected = test.samples;
    const auto before = [](const ExpectedSample& a, const ExpectedSample& b) { return a.labels < b.labels; };
    std::sort(got.begin(), got.end(), before);
    std::sort(expected.begin(), expected.end(), before);
    const bool same = std::equal(got.begin(), got.end(), expected.begin(), expected.end(),
                                 [&](const ExpectedSample& a, const ExpectedSample& b) {
                                   return a.labels == b.labels && same_value(a.value, b.value, file_.fuzzy_compare);
                                 });
    if (!same) outcome_.failures.push_back(where + "," + comparison(expected, got, options_.diff));
  }

  // ---- what the store has ------------------------------------------------------------------------------------------

  void describe_store() {
    const std::vector<Matcher> all = {*Matcher::make(MatchType::regex, std::string(kMetricName), ".+")};
    SymbolTable symbols;
    auto cursor = temporary_.store().select({.matchers = all}, symbols);
    if (!cursor.ok()) return outcome_.stored.push_back(cursor.error().message);
    for (;;) {
      const auto more = (*cursor)->next();
      if (!more.ok()) return outcome_.stored.push_back(more.error().message);
      if (!*more) break;
      std::vector<Label> labels;
      for (const LabelPair& label : (*cursor)->labels()) {
        labels.push_back({std::string(symbols.text(label.name)), std::string(symbols.text(label.value))});
      }
      std::string line = Labels(std::move(labels)).to_string();
      for (std::size_t i = 0; i < (*cursor)->times().size(); ++i) {
        const double value = (*cursor)->values()[i];
        line += " " + (is_stale_nan(value) ? "stale" : format_float_g(value)) + "@" +
                format_duration((*cursor)->times()[i] - test_.start);
      }
      outcome_.stored.push_back(std::move(line));
    }
    std::sort(outcome_.stored.begin(), outcome_.stored.end());
  }

  struct Loaded {
    SeriesRef ref;
    const std::vector<ScriptPoint>* points;
    std::size_t next;
  };

  const RuleTestFile& file_;
  const RuleTest& test_;
  const RuleTestOptions& options_;
  TemporaryStore& temporary_;
  const Engine engine_;
  const RuleGroupContext context_;
  std::vector<std::unique_ptr<RuleGroup>> groups_;
  std::vector<Loaded> loaded_;
  std::vector<Labels> histograms_;
  RuleTestOutcome outcome_;
};

}  // namespace

Result<std::vector<RuleTestOutcome>> run_rule_tests(const std::string& path, const RuleTestOptions& options) {
  auto file = load_rule_test_file(path, options.ignore_unknown_fields);
  if (!file.ok()) return file.error();
  std::vector<RuleTestOutcome> outcomes;
  for (const RuleTest& test : file->tests) {
    if (options.interrupted != nullptr && *options.interrupted) {
      return Error{ErrorKind::canceled, "interrupted"};
    }
    const bool wanted = options.run.empty() || std::any_of(options.run.begin(), options.run.end(),
                                                           [&](const Regex& r) { return r.full_match(test.name); });
    if (!wanted) continue;
    RuleFiles rules;
    load_rule_files(file->rule_files, {.ignore_unknown_fields = options.ignore_unknown_fields}, rules);
    if (!rules.ok()) {
      std::string message = rules.faults.front();
      for (std::size_t i = 1; i < rules.faults.size(); ++i) message += "\n" + rules.faults[i];
      return bad_data(std::move(message));
    }
    auto temporary = TemporaryStore::open();
    if (!temporary.ok()) return temporary.error();
    const auto begin = std::chrono::steady_clock::now();
    outcomes.push_back(Run(*file, test, options, **temporary).run(std::move(rules.groups)));
    outcomes.back().seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    outcomes.back().failures.insert(outcomes.back().failures.begin(), rules.warnings.begin(), rules.warnings.end());
  }
  // Nothing is right of a test that did not come to its end.
  if (options.interrupted != nullptr && *options.interrupted) return Error{ErrorKind::canceled, "interrupted"};
  return outcomes;
}

}  // namespace pipit
