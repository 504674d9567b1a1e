#include "config/target_groups.h"

#include <glob.h>

#include <nlohmann/json.hpp>

#include "config/config_file.h"
#include "config/json_depth.h"
#include "config/schema.h"
#include "config/yaml_tree.h"

namespace pipit {
namespace {

using nlohmann::json;

/// A list of objects with lists.
constexpr int kMostLevels = 3;

/// What a list may come to when each target has got the labels of its group.
constexpr std::size_t kMostLabelBytes = 256u << 20;

/// A few bytes of labels times a few of targets are more than any memory holds.
Status check_size(const std::vector<TargetGroup>& groups, const std::string& name) {
  std::size_t bytes = 0;
  for (const TargetGroup& group : groups) {
    std::size_t of_target = 0;
    for (const Label& label : group.labels) of_target += sizeof label + label.name.size() + label.value.size();
    if (of_target > 0 && group.targets.size() > (kMostLabelBytes - bytes) / of_target) {
      return bad_data(name + ": labels and targets multiply to more than 256 MiB");
    }
    bytes += of_target * group.targets.size();
  }
  return {};
}

Error json_error(const std::string& name, std::size_t index, const std::string& message) {
  return bad_data(name + ": target group " + std::to_string(index) + ": " + message);
}

Result<TargetGroup> group_of(const json& item, const std::string& name, std::size_t index) {
  TargetGroup group;
  if (item.is_null()) return bad_data(name + ": nil target group item found (index " + std::to_string(index) + ")");
  if (!item.is_object()) return json_error(name, index, "must be an object");
  std::vector<Label> labels;
  for (const auto& [key, value] : item.items()) {
    if (key == "targets") {
      if (!value.is_array()) return json_error(name, index, "targets must be a list of strings");
      for (const json& target : value) {
        if (!target.is_string()) return json_error(name, index, "targets must be a list of strings");
        group.targets.push_back(target.get<std::string>());
      }
    } else if (key == "labels") {
      if (value.is_null()) continue;
      if (!value.is_object()) return json_error(name, index, "labels must be an object");
      for (const auto& [label, text] : value.items()) {
        if (!text.is_string())
          return json_error(name, index, "the value of label " + quote(label) + " must be a string");
        if (label.empty()) return json_error(name, index, "\"\" is not a valid label name");
        labels.push_back({label, text.get<std::string>()});
      }
    } else {
      return json_error(name, index, "unknown field " + quote(key));
    }
  }
  group.labels = Labels(std::move(labels));
  return group;
}

constexpr Field kGroupFields[] = {{"targets", FieldType::string_list}, {"labels", FieldType::string_map}};
constexpr Section kGroup{"a target group", kGroupFields};

}  // namespace

Result<std::vector<TargetGroup>> parse_json_target_groups(std::string_view text, const std::string& name) {
  if (nests_deeper_than(text, kMostLevels)) return bad_data(name + ": nested too deeply for target groups");
  const json list = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (list.is_discarded()) return bad_data(name + ": not valid JSON");
  std::vector<TargetGroup> groups;
  if (list.is_null()) return groups;
  if (!list.is_array()) return bad_data(name + ": must be a list of target groups");
  groups.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto group = group_of(list[i], name, i);
    if (!group.ok()) return group.error();
    groups.push_back(std::move(*group));
  }
  if (Status size = check_size(groups, name); !size) return size.error();
  return groups;
}

Result<std::vector<TargetGroup>> parse_yaml_target_groups(std::string_view text, const std::string& name) {
  const auto root = parse_yaml(text, name);
  if (!root.ok()) return root.error();
  std::vector<TargetGroup> groups;
  if ((*root)->is_null()) return groups;
  SchemaChecker checker(name);
  if (!(*root)->is_sequence()) return checker.fail(**root, "must be a list of target groups");
  for (const YamlNodePtr& item : (*root)->items) {
    if (item->is_null()) {
      return bad_data(name + ": nil target group item found (index " + std::to_string(groups.size()) + ")");
    }
    if (auto error = checker.check(*item, kGroup)) return *error;
    TargetGroup& group = groups.emplace_back();
    if (const YamlNode* targets = item->find("targets")) {
      for (const YamlNodePtr& target : targets->items) group.targets.push_back(target->text);
    }
    std::vector<Label> labels;
    if (const YamlNode* map = item->find("labels")) {
      for (const auto& [label, value] : map->entries) {
        if (label->text.empty() || !is_valid_utf8(label->text)) {
          return checker.fail(*label, quote(label->text) + " is not a valid label name");
        }
        labels.push_back({label->text, value->text});
      }
    }
    group.labels = Labels(std::move(labels));
  }
  if (Status size = check_size(groups, name); !size) return size.error();
  return groups;
}

Result<std::vector<TargetGroup>> read_target_groups(const std::string& path) {
  const auto text = read_regular_file(path);
  if (!text.ok()) return text.error();
  const bool is_json = path.ends_with(".json") || path.ends_with(".JSON");
  return is_json ? parse_json_target_groups(*text, path) : parse_yaml_target_groups(*text, path);
}

std::vector<std::string> expand_path_pattern(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t found{};
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  return paths;
}

}  // namespace pipit
