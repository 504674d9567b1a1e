// Source of keys and defaults: Prometheus 3.14, config/config.go and notifier.

#include "config/alerting_config.h"

#include "config/relabel_config.h"
#include "config/schema.h"
#include "config/scrape_config.h"
#include "config/yaml_emit.h"

namespace pipit {
namespace {

constexpr std::string_view kPathLabel = "__alerts_path__";
constexpr std::string_view kTargetPathLabel = "__metrics_path__";

RelabelConfig copy_step(std::vector<std::string> from, const char* regex, std::string_view to) {
  RelabelConfig step;
  step.source_labels = std::move(from);
  step.regex = *Regex::compile(regex);
  step.target_label = to;
  return step;
}

/// An Alertmanager is found and relabelled as a target is, but for the name of the label that holds its path.
void rename_path(ScrapeConfig& source) {
  std::vector<RelabelConfig>& steps = source.relabel_configs;
  steps.insert(steps.begin(), copy_step({std::string(kPathLabel), std::string(kTargetPathLabel)}, ";(.*)", kPathLabel));
  steps.push_back(copy_step({std::string(kPathLabel)}, "(.*)", kTargetPathLabel));
}

/// The path of API v2 below `prefix`.
std::string alerts_path(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  while (prefix.starts_with('/')) prefix.remove_prefix(1);
  return (prefix.empty() ? "" : "/" + std::string(prefix)) + "/api/v2/alerts";
}

}  // namespace

Result<AlertingConfig> build_alerting_config(const YamlNode* node, const ScrapeDefaults& defaults,
                                             const SchemaChecker& checker) {
  AlertingConfig config;
  if (node == nullptr) return config;
  auto steps = build_relabel_configs(node->find("alert_relabel_configs"), checker, checker.legacy_names);
  if (!steps.ok()) return steps.error();
  config.alert_relabel_configs = std::move(*steps);
  config.text = emit_yaml(*node, {});
  const YamlNode* list = node->find("alertmanagers");
  if (list == nullptr) return config;
  for (const YamlNodePtr& item : list->items) {
    AlertmanagerConfig& each = config.alertmanagers.emplace_back();
    auto source = build_scrape_config(*item, defaults, checker);
    if (!source.ok()) return source.error();
    each.source = std::move(*source);
    each.source.job_name = "alertmanagers/" + std::to_string(config.alertmanagers.size() - 1);
    each.source.metrics_path = alerts_path(item->text_of("path_prefix"));
    rename_path(each.source);
    each.timeout = duration_or(*item, "timeout", each.timeout);
    auto own = build_relabel_configs(item->find("alert_relabel_configs"), checker, checker.legacy_names);
    if (!own.ok()) return own.error();
    each.alert_relabel_configs = std::move(*own);
  }
  return config;
}

}  // namespace pipit
