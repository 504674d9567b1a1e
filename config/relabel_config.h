#pragma once

#include <vector>

#include "config/schema.h"
#include "model/relabel.h"
#include "model/result.h"

namespace pipit {

/// Builds the steps of a checked relabel list (null: none) and validates each by Prometheus's rules: which fields an
/// action needs and forbids, and what a label name may be (`legacy_names`: the old charset only).
Result<std::vector<RelabelConfig>> build_relabel_configs(const YamlNode* list, const SchemaChecker& checker,
                                                         bool legacy_names);

}  // namespace pipit
