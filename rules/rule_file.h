#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "model/labels.h"
#include "model/sample.h"

namespace pipit {

/// A rule as its file has it, found right.
struct RuleConfig {
  bool alerting = false;
  std::string name;                ///< of the alert or of the recorded metric
  std::string expression;          ///< in Prometheus's one-line form
  DurationMs hold = 0;             ///< `for`
  DurationMs keep_firing = 0;      ///< `keep_firing_for`
  std::vector<Label> labels;       ///< sorted by name; with those of the group
  std::vector<Label> annotations;  ///< sorted by name
  ConfigPosition position;
};

struct RuleGroupConfig {
  std::string file;
  std::string name;
  DurationMs interval = 0;  ///< 0: the global evaluation interval
  std::uint64_t limit = 0;  ///< of a rule's alerts or series; 0: none
  std::optional<DurationMs> query_offset;
  std::vector<RuleConfig> rules;
};

struct RuleFileOptions {
  bool ignore_unknown_fields = false;
  bool legacy_names = false;  ///< metric_name_validation_scheme
};

/// What was read of rule files, and all that is wrong with them: `FILE:LINE:COLUMN: what`. With faults the groups are
/// not to be used.
struct RuleFiles {
  std::vector<RuleGroupConfig> groups;
  std::vector<std::string> faults;
  std::vector<std::string> warnings;
  bool ok() const { return faults.empty(); }
};

/// Adds a file's groups. Source of format, rules and wordings: Prometheus 3.14, model/rulefmt.
void parse_rule_file(std::string_view text, const std::string& file, const RuleFileOptions& options, RuleFiles& out);
void load_rule_file(const std::string& path, const RuleFileOptions& options, RuleFiles& out);
/// All files that match the patterns of `rule_files`, each once, in order. A pattern that matches none is a warning.
void load_rule_files(const std::vector<std::string>& patterns, const RuleFileOptions& options, RuleFiles& out);

}  // namespace pipit
