// Source of rules and wordings: Prometheus, model/relabel.

#include "config/relabel_config.h"

#include <array>
#include <cctype>

#include "model/labels.h"

namespace pipit {
namespace {

struct ActionName {
  std::string_view name;
  RelabelAction action;
};
constexpr std::array<ActionName, 11> kActions = {{{"replace", RelabelAction::replace},
                                                  {"keep", RelabelAction::keep},
                                                  {"drop", RelabelAction::drop},
                                                  {"keepequal", RelabelAction::keepequal},
                                                  {"dropequal", RelabelAction::dropequal},
                                                  {"hashmod", RelabelAction::hashmod},
                                                  {"labelmap", RelabelAction::labelmap},
                                                  {"labeldrop", RelabelAction::labeldrop},
                                                  {"labelkeep", RelabelAction::labelkeep},
                                                  {"lowercase", RelabelAction::lowercase},
                                                  {"uppercase", RelabelAction::uppercase}}};

constexpr std::string_view kDefaultSeparator = ";";
constexpr std::string_view kDefaultReplacement = "$1";

bool is_label_name(std::string_view name, bool legacy) {
  return legacy ? is_legacy_label_name(name) : !name.empty() && is_valid_utf8(name);
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// An old-charset label name in which `$name` and `${name}` may stand for parts:
/// `^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$`, that is, no digit first.
bool is_legacy_name_template(std::string_view text) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text.front())) != 0) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '$') {
      if (!is_word(text[i])) return false;
      ++i;
      continue;
    }
    const bool braces = i + 1 < text.size() && text[i + 1] == '{';
    const std::size_t begin = i + (braces ? 2 : 1);
    std::size_t end = begin;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end == begin) return false;
    if (braces && (end == text.size() || text[end] != '}')) return false;
    i = end + (braces ? 1 : 0);
  }
  return true;
}

bool is_name_template(std::string_view text, bool legacy) {
  return legacy ? is_legacy_name_template(text) : is_label_name(text, false);
}

/// One step with what its validation needs besides the step itself.
struct Step {
  RelabelConfig config;
  std::string_view action_name;
  bool has_source_labels = false;
  bool has_regex = false;
};

std::optional<std::string> invalid_fields(const Step& step) {
  const RelabelConfig& config = step.config;
  const std::string action(step.action_name);
  const bool own_separator = config.separator != kDefaultSeparator;
  const bool own_replacement = config.replacement != kDefaultReplacement;
  switch (config.action) {
    case RelabelAction::keepequal:
    case RelabelAction::dropequal:
      if (step.has_regex || config.modulus != 0 || own_separator || own_replacement) {
        return action + " action requires only 'source_labels' and `target_label`, and no other fields";
      }
      return std::nullopt;
    case RelabelAction::labeldrop:
    case RelabelAction::labelkeep:
      if (step.has_source_labels || !config.target_label.empty() || config.modulus != 0 || own_separator ||
          own_replacement) {
        return action + " action requires only 'regex', and no other fields";
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<std::string> invalid(const Step& step, bool legacy) {
  const RelabelConfig& config = step.config;
  const std::string action(step.action_name);
  const auto bad_target = [&] {
    return quote(config.target_label) + " is invalid 'target_label' for " + action + " action";
  };
  if (config.action == RelabelAction::hashmod && config.modulus == 0) {
    return "relabel configuration for hashmod requires non-zero modulus";
  }
  switch (config.action) {
    case RelabelAction::replace:
    case RelabelAction::hashmod:
    case RelabelAction::lowercase:
    case RelabelAction::uppercase:
    case RelabelAction::keepequal:
    case RelabelAction::dropequal: {
      if (config.target_label.empty()) {
        return "relabel configuration for " + action + " action requires 'target_label' value";
      }
      const bool has_template =
          config.action == RelabelAction::replace && config.target_label.find('$') != std::string::npos;
      if (has_template ? !is_name_template(config.target_label, legacy) : !is_label_name(config.target_label, legacy)) {
        return bad_target();
      }
      const bool fixed = config.action != RelabelAction::replace && config.action != RelabelAction::hashmod;
      if (fixed && config.replacement != kDefaultReplacement) {
        return "'replacement' can not be set for " + action + " action";
      }
      break;
    }
    case RelabelAction::labelmap:
      if (!is_name_template(config.replacement, legacy)) {
        return quote(config.replacement) + " is invalid 'replacement' for " + action + " action";
      }
      break;
    default:
      break;
  }
  return invalid_fields(step);
}

std::optional<Error> read_action(const YamlNode& node, const SchemaChecker& checker, Step& step) {
  const YamlNode* value = node.find("action");
  if (value == nullptr) {
    step.action_name = kActions.front().name;
    return std::nullopt;
  }
  if (value->is_null()) return checker.fail(*value, "relabel action cannot be empty");
  std::string word = value->text;
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const ActionName& candidate : kActions) {
    if (candidate.name != word) continue;
    step.config.action = candidate.action;
    step.action_name = candidate.name;
    return std::nullopt;
  }
  return checker.fail(*value, "unknown relabel action " + quote(value->text));
}

std::optional<Error> read_regex(const YamlNode& node, const SchemaChecker& checker, Step& step) {
  const YamlNode* value = node.find("regex");
  step.has_regex = value != nullptr;
  const std::string pattern = value == nullptr ? "(.*)" : value->is_null() ? "" : value->text;
  auto regex = Regex::compile(pattern);
  if (!regex.ok()) return checker.fail(value == nullptr ? node : *value, regex.error().message);
  step.config.regex = std::move(*regex);
  return std::nullopt;
}

std::optional<Error> read_source_labels(const YamlNode& node, const SchemaChecker& checker, Step& step) {
  const YamlNode* list = node.find("source_labels");
  if (list == nullptr || list->is_null()) return std::nullopt;
  step.has_source_labels = true;
  for (const YamlNodePtr& name : list->items) {
    if (!is_label_name(name->text, false)) return checker.fail(*name, quote(name->text) + " is not a valid label name");
    step.config.source_labels.push_back(name->text);
  }
  return std::nullopt;
}

Result<RelabelConfig> build_step(const YamlNode& node, const SchemaChecker& checker, bool legacy) {
  Step step;
  if (auto error = read_action(node, checker, step)) return *error;
  if (auto error = read_regex(node, checker, step)) return *error;
  if (auto error = read_source_labels(node, checker, step)) return *error;
  if (node.find("separator") != nullptr) step.config.separator = node.text_of("separator");
  if (node.find("replacement") != nullptr) step.config.replacement = node.text_of("replacement");
  step.config.target_label = node.text_of("target_label");
  if (const YamlNode* modulus = node.find("modulus")) {
    step.config.modulus = static_cast<std::uint64_t>(yaml_integer(*modulus).value_or(0));
  }
  if (const auto fault = invalid(step, legacy)) return checker.fail(node, *fault);
  return std::move(step.config);
}

}  // namespace

Result<std::vector<RelabelConfig>> build_relabel_configs(const YamlNode* list, const SchemaChecker& checker,
                                                         bool legacy_names) {
  std::vector<RelabelConfig> steps;
  if (list == nullptr) return steps;
  steps.reserve(list->items.size());
  for (const YamlNodePtr& item : list->items) {
    auto step = build_step(*item, checker, legacy_names);
    if (!step.ok()) return step.error();
    steps.push_back(std::move(*step));
  }
  return steps;
}

std::optional<Error> check_relabel_list(const YamlNode& node, std::string_view key, const SchemaChecker& checker) {
  const auto steps = build_relabel_configs(node.find(key), checker, checker.legacy_names);
  if (steps.ok()) return std::nullopt;
  return steps.error();
}

}  // namespace pipit
