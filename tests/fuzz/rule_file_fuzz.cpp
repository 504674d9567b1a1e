// Any text as a rule file: it is refused, or its groups can be made and ordered.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rules/alerting_rule.h"
#include "rules/recording_rule.h"
#include "rules/rule_file.h"
#include "rules/rule_levels.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  pipit::RuleFiles read;
  const pipit::RuleFileOptions options{.ignore_unknown_fields = (data[0] & 1) != 0, .legacy_names = (data[0] & 2) != 0};
  pipit::parse_rule_file({reinterpret_cast<const char*>(data) + 1, size - 1}, "r.yml", options, read);
  if (!read.ok()) return 0;
  for (pipit::RuleGroupConfig& group : read.groups) {
    std::vector<std::unique_ptr<pipit::Rule>> rules;
    for (pipit::RuleConfig& rule : group.rules) {
      if (rule.alerting) {
        rules.push_back(std::make_unique<pipit::AlertingRule>(std::move(rule), true));
      } else {
        rules.push_back(std::make_unique<pipit::RecordingRule>(std::move(rule)));
      }
    }
    std::size_t placed = 0;
    for (const auto& level : pipit::rule_levels(rules)) placed += level.size();
    if (placed != rules.size()) std::abort();
  }
  return 0;
}
