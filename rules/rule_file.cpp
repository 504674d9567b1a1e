#include "rules/rule_file.h"

#include <algorithm>
#include <set>

#include "config/config_file.h"
#include "config/schema.h"
#include "config/target_groups.h"
#include "config/yaml_tree.h"
#include "model/duration.h"
#include "query/parser.h"
#include "rules/rule_template.h"

namespace pipit {
namespace {

using enum FieldType;

constexpr Field kRuleFields[] = {
    {"record"},
    {"alert"},
    {"expr"},
    {"for", duration},
    {"keep_firing_for", duration},
    {"labels", string_map},
    {"annotations", string_map},
};
constexpr Section kRule{"a rule", kRuleFields, {}, nullptr, "empty or null rule"};

constexpr Field kGroupFields[] = {
    {"name"},           {"interval", duration}, {"query_offset", duration},
    {"limit", integer}, {"labels", string_map}, {"rules", section_list, &kRule},
};
constexpr Section kGroup{"a rule group", kGroupFields, {}, nullptr, "empty or null rule group"};

constexpr Field kFileFields[] = {{"groups", section_list, &kGroup}};
constexpr Section kFile{"a rule file", kFileFields};

class Reader {
 public:
  Reader(const std::string& file, const RuleFileOptions& options, RuleFiles& out)
      : checker_(file), options_(options), out_(out) {
    checker_.legacy_names = options.legacy_names;
    checker_.ignore_unknown_fields = options.ignore_unknown_fields;
  }

  void read(std::string_view text) {
    const auto root = parse_yaml_first(text, checker_.file(), further_documents_);
    if (!root.ok()) {
      out_.faults.push_back(root.error().message);
      return;
    }
    if (further_documents_) {
      out_.warnings.push_back(checker_.file() + ": only the first YAML document of the file is read");
    }
    if ((*root)->is_null()) return;
    if (const auto error = checker_.check(**root, kFile)) {
      out_.faults.push_back(error->message);
      return;
    }
    if (const YamlNode* groups = (*root)->find("groups")) {
      for (const YamlNodePtr& group : groups->items) read_group(*group);
    }
  }

 private:
  void fault(const YamlNode& at, const std::string& what) {
    out_.faults.push_back(checker_.fail(at, where_ + what).message);
  }

  static const YamlNode& value_or_node(const YamlNode& node, std::string_view key) {
    const YamlNode* value = node.find(key);
    return value == nullptr ? node : *value;
  }

  static DurationMs duration_of(const YamlNode& node, std::string_view key) {
    const auto parsed = parse_duration(node.text_of(key));
    return node.has_text(key) && parsed.ok() ? *parsed : 0;
  }

  void read_group(const YamlNode& node) {
    where_.clear();
    RuleGroupConfig group;
    group.file = checker_.file();
    group.name = node.text_of("name");
    const YamlNode& name = value_or_node(node, "name");
    if (group.name.empty()) fault(name, "Groupname must not be empty");
    if (!names_.insert(group.name).second) {
      fault(name, "groupname: \"" + group.name + "\" is repeated in the same file");
    }
    group.interval = duration_of(node, "interval");
    if (node.has_text("query_offset")) group.query_offset = duration_of(node, "query_offset");
    if (const YamlNode* limit = node.find("limit")) {
      group.limit = static_cast<std::uint64_t>(std::max<std::int64_t>(0, yaml_integer(*limit).value_or(0)));
    }
    const std::vector<Label> labels = read_labels(node, "labels", "label");
    if (const YamlNode* rules = node.find("rules")) {
      group.rules.reserve(rules->items.size());
      for (std::size_t i = 0; i < rules->items.size(); ++i) {
        group.rules.push_back(read_rule(*rules->items[i], group.name, i + 1, labels));
      }
    }
    out_.groups.push_back(std::move(group));
  }

  RuleConfig read_rule(const YamlNode& node, const std::string& group, std::size_t number,
                       const std::vector<Label>& group_labels) {
    RuleConfig rule;
    rule.position = node.position;
    rule.alerting = node.has_text("alert");
    rule.name = node.text_of(rule.alerting ? "alert" : "record");
    where_ = "group " + quote(group) + ", rule " + std::to_string(number) + ", " + quote(rule.name) + ": ";
    if (rule.alerting && node.has_text("record")) {
      fault(value_or_node(node, "record"), "only one of 'record' and 'alert' must be set");
    }
    if (rule.name.empty()) fault(node, "one of 'record' or 'alert' must be set");
    read_expr(node, rule);
    rule.hold = duration_of(node, "for");
    rule.keep_firing = duration_of(node, "keep_firing_for");
    rule.annotations = read_labels(node, "annotations", "annotation");
    if (node.has_text("record")) check_recording(node, rule);
    rule.labels = merged(group_labels, read_labels(node, "labels", "label"));
    if (rule.alerting) check_templates(node, rule.name);
    return rule;
  }

  void read_expr(const YamlNode& node, RuleConfig& rule) {
    const YamlNode& at = value_or_node(node, "expr");
    if (!node.has_text("expr")) {
      fault(at, "field 'expr' must be set in rule");
      return;
    }
    const auto expr = parse_query(at.text);
    if (!expr.ok()) {
      fault(at, "could not parse expression: " + expr.error().message);
      return;
    }
    rule.expression = to_string(**expr);
  }

  void check_recording(const YamlNode& node, const RuleConfig& rule) {
    if (!rule.annotations.empty()) {
      fault(*node.find("annotations"), "invalid field 'annotations' in recording rule");
    }
    if (rule.hold != 0) fault(*node.find("for"), "invalid field 'for' in recording rule");
    if (rule.keep_firing != 0)
      fault(*node.find("keep_firing_for"), "invalid field 'keep_firing_for' in recording rule");
    const YamlNode& record = *node.find("record");
    const bool valid = options_.legacy_names ? is_legacy_metric_name(record.text) : is_valid_utf8(record.text);
    if (!valid) fault(record, "invalid recording rule name: " + record.text);
    if (record.text.find_first_of("{}") != std::string::npos) {
      fault(record, "braces present in the recording rule name; should it be in expr?: " + record.text);
    }
  }

  std::vector<Label> read_labels(const YamlNode& node, std::string_view key, const std::string& what) {
    std::vector<Label> labels;
    const YamlNode* map = node.find(key);
    if (map == nullptr) return labels;
    for (const auto& [name, value] : map->entries) {
      const bool valid =
          options_.legacy_names ? is_legacy_label_name(name->text) : !name->text.empty() && is_valid_utf8(name->text);
      if (!valid || (what == "label" && name->text == kMetricName)) {
        fault(*name, "invalid " + what + " name: " + name->text);
      }
      if (what == "label" && !is_valid_utf8(value->text)) fault(*value, "invalid label value: " + quote(value->text));
      labels.push_back({name->text, value->is_null() ? "" : value->text});
    }
    std::sort(labels.begin(), labels.end());
    return labels;
  }

  /// The group's labels under the rule's, which win.
  static std::vector<Label> merged(const std::vector<Label>& group, std::vector<Label> own) {
    for (const Label& label : group) {
      const bool has = std::any_of(own.begin(), own.end(), [&](const Label& l) { return l.name == label.name; });
      if (!has) own.push_back(label);
    }
    std::sort(own.begin(), own.end());
    return own;
  }

  void check_templates(const YamlNode& node, const std::string& alert) {
    const AlertTemplates templates(alert);
    for (const auto& [key, what] : {std::pair{"labels", "label "}, std::pair{"annotations", "annotation "}}) {
      const YamlNode* map = node.find(key);
      if (map == nullptr) continue;
      for (const auto& [name, value] : map->entries) {
        const Status status = templates.check(value->text);
        if (!status.ok()) fault(*value, what + quote(name->text) + ": " + status.error().message);
      }
    }
  }

  SchemaChecker checker_;
  const RuleFileOptions options_;
  RuleFiles& out_;
  bool further_documents_ = false;
  std::set<std::string> names_;
  std::string where_;
};

}  // namespace

void parse_rule_file(std::string_view text, const std::string& file, const RuleFileOptions& options, RuleFiles& out) {
  Reader(file, options, out).read(text);
}

void load_rule_file(const std::string& path, const RuleFileOptions& options, RuleFiles& out) {
  const auto text = read_config_file(path);
  if (!text.ok()) {
    out.faults.push_back(text.error().message);
    return;
  }
  parse_rule_file(*text, path, options, out);
}

void load_rule_files(const std::vector<std::string>& patterns, const RuleFileOptions& options, RuleFiles& out) {
  std::set<std::string> seen;
  for (const std::string& pattern : patterns) {
    const std::vector<std::string> paths = expand_path_pattern(pattern);
    if (paths.empty()) out.warnings.push_back("no rule file matches " + pattern);
    for (const std::string& path : paths) {
      if (seen.insert(path).second) load_rule_file(path, options, out);
    }
  }
}

}  // namespace pipit
