#include "tools/rule_test_file.h"

#include <set>

#include "config/config_file.h"
#include "config/schema.h"
#include "config/yaml_tree.h"
#include "model/duration.h"
#include "model/number.h"

namespace pipit {
namespace {

using enum FieldType;

constexpr Field kSeriesFields[] = {{"series"}, {"values"}};
constexpr Section kSeries{"an input series", kSeriesFields};

constexpr Field kAlertFields[] = {{"exp_labels", string_map}, {"exp_annotations", string_map}};
constexpr Section kAlert{"an expected alert", kAlertFields};
constexpr Field kAlertTestFields[] = {
    {"eval_time", duration}, {"alertname"}, {"groupname"}, {"exp_alerts", section_list, &kAlert}};
constexpr Section kAlertTest{"an alert test", kAlertTestFields};

constexpr Field kSampleFields[] = {{"labels"}, {"value"}, {"histogram"}};
constexpr Section kSample{"an expected sample", kSampleFields};
constexpr Field kExpressionTestFields[] = {{"expr"}, {"eval_time", duration}, {"exp_samples", section_list, &kSample}};
constexpr Section kExpressionTest{"an expression test", kExpressionTestFields};

constexpr Field kTestFields[] = {
    {"name"},
    {"interval", duration},
    {"start_timestamp"},
    {"input_series", section_list, &kSeries},
    {"alert_rule_test", section_list, &kAlertTest},
    {"promql_expr_test", section_list, &kExpressionTest},
    {"external_labels", string_map},
    {"external_url"},
};
constexpr Section kTest{"a test", kTestFields, {}, nullptr, "empty or null test"};

constexpr Field kFileFields[] = {
    {"rule_files", string_list},       {"evaluation_interval", duration}, {"fuzzy_compare", boolean},
    {"group_eval_order", string_list}, {"tests", section_list, &kTest},
};
constexpr Section kFile{"a file of rule tests", kFileFields};

constexpr std::string_view kAlertName = "alertname";

class Reader {
 public:
  Reader(const std::string& path, bool ignore_unknown_fields) : checker_(path) {
    checker_.ignore_unknown_fields = ignore_unknown_fields;
  }

  Result<RuleTestFile> read(std::string_view text) {
    const auto root = parse_yaml(text, checker_.file());
    if (!root.ok()) return root.error();
    if (const auto error = checker_.check(**root, kFile)) return *error;
    RuleTestFile file;
    each(**root, "rule_files", [&](const YamlNode& item) { file.rule_files.push_back(checker_.path_of(item.text)); });
    file.evaluation_interval = duration_of(**root, "evaluation_interval", file.evaluation_interval);
    if (const YamlNode* fuzzy = (*root)->find("fuzzy_compare")) {
      file.fuzzy_compare = yaml_boolean(*fuzzy).value_or(false);
    }
    std::set<std::string> names;
    each(**root, "group_eval_order", [&](const YamlNode& item) {
      if (!names.insert(item.text).second) fail(item, "group name repeated in evaluation order: " + item.text);
      file.group_eval_order.push_back(item.text);
    });
    each(**root, "tests", [&](const YamlNode& item) { file.tests.push_back(read_test(item)); });
    if (error_) return *error_;
    return file;
  }

 private:
  template <class Visit>
  static void each(const YamlNode& node, std::string_view key, Visit visit) {
    const YamlNode* list = node.find(key);
    if (list == nullptr) return;
    for (const YamlNodePtr& item : list->items) visit(*item);
  }

  void fail(const YamlNode& at, const std::string& message) {
    if (!error_) error_ = checker_.fail(at, message);
  }

  static DurationMs duration_of(const YamlNode& node, std::string_view key, DurationMs fallback = 0) {
    const auto parsed = parse_duration(node.text_of(key));
    return node.has_text(key) && parsed.ok() && *parsed != 0 ? *parsed : fallback;
  }

  static Labels labels_of(const YamlNode& node, std::string_view key) {
    std::vector<Label> labels;
    if (const YamlNode* map = node.find(key)) {
      for (const auto& [name, value] : map->entries)
        labels.push_back({name->text, value->is_null() ? "" : value->text});
    }
    return Labels(std::move(labels));
  }

  RuleTest read_test(const YamlNode& node) {
    RuleTest test;
    test.name = node.text_of("name");
    test.interval = duration_of(node, "interval");
    test.external_labels = labels_of(node, "external_labels");
    test.external_url = node.text_of("external_url");
    if (node.has_text("start_timestamp")) {
      const auto start = parse_api_time(node.text_of("start_timestamp"));
      if (start.ok()) {
        test.start = *start;
      } else {
        fail(*node.find("start_timestamp"), start.error().message);
      }
    }
    each(node, "input_series", [&](const YamlNode& item) { read_series(item, test); });
    each(node, "alert_rule_test", [&](const YamlNode& item) { test.alert_tests.push_back(read_alert_test(item)); });
    each(node, "promql_expr_test",
         [&](const YamlNode& item) { test.expression_tests.push_back(read_expression_test(item)); });
    return test;
  }

  void read_series(const YamlNode& node, RuleTest& test) {
    auto series = parse_script_series(std::string(node.text_of("series")) + " " + std::string(node.text_of("values")));
    if (!series.ok()) return fail(node, "input series: " + series.error().message);
    test.series.push_back(std::move(*series));
  }

  AlertTest read_alert_test(const YamlNode& node) {
    AlertTest test;
    test.time = duration_of(node, "eval_time");
    test.alert = node.text_of("alertname");
    test.group = node.text_of("groupname");
    if (test.alert.empty()) {
      fail(node, "an item under alert_rule_test misses required attribute alertname at eval_time " +
                     format_duration(test.time));
    }
    each(node, "exp_alerts", [&](const YamlNode& item) {
      ExpectedAlert alert{labels_of(item, "exp_labels"), labels_of(item, "exp_annotations")};
      alert.labels.set(kAlertName, test.alert);
      test.alerts.push_back(std::move(alert));
    });
    return test;
  }

  ExpressionTest read_expression_test(const YamlNode& node) {
    ExpressionTest test;
    test.time = duration_of(node, "eval_time");
    test.expr = node.text_of("expr");
    each(node, "exp_samples", [&](const YamlNode& item) {
      ExpectedSample sample;
      auto labels = parse_script_series(item.text_of("labels"));
      if (!labels.ok()) return fail(item, "labels " + quote(item.text_of("labels")) + ": " + labels.error().message);
      sample.labels = std::move(labels->labels);
      sample.is_histogram = item.has_text("histogram");
      const std::string_view text = item.text_of("value");
      std::optional<double> value = 0;
      if (text == ".nan" || text == ".NaN") {
        value = normal_nan();
      } else if (!text.empty()) {
        value = number_of(item);
      }
      if (!value) return fail(item, "not a number: " + quote(text));
      sample.value = *value;
      test.samples.push_back(std::move(sample));
    });
    return test;
  }

  static std::optional<double> number_of(const YamlNode& item) {
    const auto number = yaml_number(*item.find("value"));
    return number ? number : parse_float(item.text_of("value"));
  }

  SchemaChecker checker_;
  std::optional<Error> error_;
};

}  // namespace

Result<RuleTestFile> load_rule_test_file(const std::string& path, bool ignore_unknown_fields) {
  const auto text = read_config_file(path);
  if (!text.ok()) return text.error();
  return Reader(path, ignore_unknown_fields).read(*text);
}

}  // namespace pipit
