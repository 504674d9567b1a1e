#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace pipit {

/// What is wrong with the files that a configuration names, or would surprise.
struct NamedFileFaults {
  std::vector<std::string> errors;    ///< a rule file, secret, certificate or list of targets that can't be used
  std::vector<std::string> warnings;  ///< patterns that match nothing
  std::vector<std::string> lint;      ///< rules that are there twice
};

/// Looks at rule files, secrets, certificates and lists of targets. A server starts in spite of these faults, but rules
/// are missing, or targets are.
NamedFileFaults check_named_files(const Config& config, bool ignore_unknown_rule_fields = false);

}  // namespace pipit
