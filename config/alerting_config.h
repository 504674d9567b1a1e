#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "model/result.h"

namespace pipit {

class SchemaChecker;
struct YamlNode;
struct ScrapeDefaults;

/// Builds the entries of a checked `alerting` section (null: none).
Result<AlertingConfig> build_alerting_config(const YamlNode* node, const ScrapeDefaults& defaults,
                                             const SchemaChecker& checker);

}  // namespace pipit
