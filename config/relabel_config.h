#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "config/schema.h"
#include "model/relabel.h"
#include "model/result.h"

namespace pipit {

/// Builds the steps of a checked relabel list (null: none) and validates each by Prometheus's rules: which fields an
/// action needs and forbids, and what a label name may be (`legacy_names`: the old charset only).
Result<std::vector<RelabelConfig>> build_relabel_configs(const YamlNode* list, const SchemaChecker& checker,
                                                         bool legacy_names);

/// The fault of the list under `key` of a section that Pipit does not act on yet.
std::optional<Error> check_relabel_list(const YamlNode& node, std::string_view key, const SchemaChecker& checker);

}  // namespace pipit
