#pragma once

#include <string>
#include <unordered_set>

#include "config/yaml_tree.h"

namespace pipit {

/// The tree as YAML text, aliases written out, with the scalars of `secrets` as `<secret>`.
std::string emit_yaml(const YamlNode& root, const std::unordered_set<const YamlNode*>& secrets);

}  // namespace pipit
