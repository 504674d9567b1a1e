#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/discovery_config.h"
#include "model/result.h"

namespace pipit {

/// Reads a list of target groups as files and answers of discovery have it: `[{"targets": ["a:1"], "labels": {"x":
/// "y"}}]`. Unknown keys are errors. `name` stands for the source in messages.
Result<std::vector<TargetGroup>> parse_json_target_groups(std::string_view text, const std::string& name);
/// The same in YAML.
Result<std::vector<TargetGroup>> parse_yaml_target_groups(std::string_view text, const std::string& name);
/// By the ending of the path, as Prometheus decides. Errors also when the file can't be read.
Result<std::vector<TargetGroup>> read_target_groups(const std::string& path);

/// The files that exist for a path with `*` in its last part, sorted.
std::vector<std::string> expand_path_pattern(const std::string& pattern);

}  // namespace pipit
