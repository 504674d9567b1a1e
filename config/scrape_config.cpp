// Source of rules, defaults and wordings: Prometheus 3.14, config/config.go.

#include "config/scrape_config.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "config/byte_size.h"
#include "config/relabel_config.h"
#include "model/duration.h"

namespace pipit {
namespace {

/// In the order of ScrapeProtocol.
constexpr std::array<std::string_view, 5> kProtocols = {
    "OpenMetricsText0.0.1", "OpenMetricsText1.0.0", "PrometheusProto", "PrometheusText0.0.4", "PrometheusText1.0.0"};

bool boolean_or(const YamlNode& node, std::string_view key, bool fallback) {
  const YamlNode* value = node.find(key);
  return value == nullptr ? fallback : yaml_boolean(*value).value_or(fallback);
}

std::uint64_t count_or(const YamlNode& node, std::string_view key, std::uint64_t fallback) {
  const YamlNode* value = node.find(key);
  const std::int64_t count = value == nullptr ? 0 : yaml_integer(*value).value_or(0);
  return count == 0 ? fallback : static_cast<std::uint64_t>(count);
}

/// Where the fault is: the key's value, or the section when the value comes from elsewhere.
const YamlNode& at_key(const YamlNode& node, std::string_view key) {
  const YamlNode* value = node.find(key);
  return value == nullptr ? node : *value;
}

/// REQUIRES: it is one of kProtocols.
ScrapeProtocol protocol_of(std::string_view protocol) {
  return static_cast<ScrapeProtocol>(std::find(kProtocols.begin(), kProtocols.end(), protocol) - kProtocols.begin());
}

std::optional<std::string> invalid_protocol(std::string_view protocol) {
  if (std::find(kProtocols.begin(), kProtocols.end(), protocol) != kProtocols.end()) return std::nullopt;
  std::string message = "unknown scrape protocol " + std::string(protocol) + ", supported: [";
  for (const std::string_view known : kProtocols) message += std::string(known) + " ";
  message.back() = ']';
  return message;
}

std::optional<Error> check_protocols(const YamlNode& node, const SchemaChecker& checker, const std::string& where) {
  const YamlNode* list = node.find("scrape_protocols");
  if (list == nullptr || list->is_null()) return std::nullopt;
  if (list->items.empty()) return checker.fail(*list, "scrape_protocols cannot be empty for " + where);
  std::vector<std::string> seen;
  for (const YamlNodePtr& item : list->items) {
    std::string lower = item->text;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (std::find(seen.begin(), seen.end(), lower) != seen.end()) {
      std::string all;
      for (const YamlNodePtr& each : list->items) all += (all.empty() ? "" : " ") + each->text;
      return checker.fail(*item, "duplicated protocol in scrape_protocols, got [" + all + "] for " + where);
    }
    if (const auto fault = invalid_protocol(item->text)) {
      return checker.fail(*item, "scrape_protocols: " + *fault + " for " + where);
    }
    seen.push_back(std::move(lower));
    if (seen.size() > kProtocols.size()) break;
  }
  return std::nullopt;
}

std::vector<ScrapeProtocol> read_protocols(const YamlNode& node) {
  std::vector<ScrapeProtocol> protocols;
  const YamlNode* list = node.find("scrape_protocols");
  if (list == nullptr) return protocols;
  for (const YamlNodePtr& item : list->items) protocols.push_back(protocol_of(item->text));
  return protocols;
}

NameEscaping read_escaping(std::string_view text, bool legacy) {
  if (text == "underscores") return NameEscaping::underscores;
  if (text == "dots") return NameEscaping::dots;
  if (text == "values") return NameEscaping::values;
  return text.empty() && legacy ? NameEscaping::underscores : NameEscaping::allow_utf8;
}

void read_limits(const YamlNode& node, const ScrapeDefaults& defaults, ScrapeConfig& config) {
  config.body_size_limit = size_or(node, "body_size_limit", defaults.body_size_limit);
  config.sample_limit = count_or(node, "sample_limit", defaults.sample_limit);
  config.target_limit = count_or(node, "target_limit", defaults.target_limit);
  config.label_limit = count_or(node, "label_limit", defaults.label_limit);
  config.label_name_length_limit = count_or(node, "label_name_length_limit", defaults.label_name_length_limit);
  config.label_value_length_limit = count_or(node, "label_value_length_limit", defaults.label_value_length_limit);
  config.keep_dropped_targets = count_or(node, "keep_dropped_targets", defaults.keep_dropped_targets);
}

std::optional<Error> read_times(const YamlNode& node, const ScrapeDefaults& defaults, const SchemaChecker& checker,
                                ScrapeConfig& config) {
  config.scrape_interval = duration_or(node, "scrape_interval", defaults.scrape_interval);
  const DurationMs own_timeout = duration_or(node, "scrape_timeout", 0);
  config.scrape_timeout = own_timeout != 0 ? own_timeout : std::min(defaults.scrape_timeout, config.scrape_interval);
  if (config.scrape_timeout <= config.scrape_interval) return std::nullopt;
  return checker.fail(at_key(node, "scrape_timeout"),
                      "scrape timeout greater than scrape interval for scrape config with job name " +
                          quote(config.job_name) + " (timeout " + format_duration(config.scrape_timeout) +
                          ", interval " + format_duration(config.scrape_interval) + ")");
}

/// Names that a scheme does not allow must not be asked for.
std::optional<Error> check_names(const YamlNode& node, const ScrapeDefaults& defaults, const SchemaChecker& checker,
                                 bool legacy) {
  std::string escaping(node.text_of("metric_name_escaping_scheme"));
  if (escaping.empty() && !node.has_text("metric_name_validation_scheme")) escaping = defaults.escaping_scheme;
  if (escaping == "allow-utf-8" && legacy) {
    return checker.fail(at_key(node, "metric_name_escaping_scheme"),
                        "utf8 metric names requested but validation scheme is not set to UTF8");
  }
  return std::nullopt;
}

std::vector<TargetGroup> read_target_groups(const YamlNode& node) {
  std::vector<TargetGroup> groups;
  const YamlNode* list = node.find("static_configs");
  if (list == nullptr) return groups;
  for (const YamlNodePtr& item : list->items) {
    TargetGroup& group = groups.emplace_back();
    if (const YamlNode* targets = item->find("targets")) {
      for (const YamlNodePtr& target : targets->items) group.targets.push_back(target->text);
    }
    if (const YamlNode* labels = item->find("labels")) {
      std::vector<Label> pairs;
      pairs.reserve(labels->entries.size());
      for (const auto& [name, value] : labels->entries) pairs.push_back({name->text, value->text});
      group.labels = Labels(std::move(pairs));
    }
  }
  return groups;
}

void read_params(const YamlNode& node, ScrapeConfig& config) {
  const YamlNode* params = node.find("params");
  if (params == nullptr) return;
  for (const auto& [name, values] : params->entries) {
    auto& [key, texts] = config.params.emplace_back();
    key = name->text;
    for (const YamlNodePtr& value : values->items) texts.push_back(value->text);
  }
}

}  // namespace

DurationMs duration_or(const YamlNode& node, std::string_view key, DurationMs fallback) {
  const std::string_view text = node.text_of(key);
  if (text.empty()) return fallback;
  const auto value = parse_duration(text);
  return value.ok() && *value != 0 ? *value : fallback;
}

std::uint64_t size_or(const YamlNode& node, std::string_view key, std::uint64_t fallback) {
  const std::string_view text = node.text_of(key);
  if (text.empty()) return fallback;
  const auto value = parse_byte_size(text);
  return value.ok() && *value != 0 ? *value : fallback;
}

Result<ScrapeDefaults> build_scrape_defaults(const YamlNode* global, const SchemaChecker& checker) {
  ScrapeDefaults defaults;
  if (global == nullptr || global->is_null()) return defaults;
  const YamlNode& node = *global;
  const DurationMs timeout = duration_or(node, "scrape_timeout", 0);
  defaults.scrape_interval = duration_or(node, "scrape_interval", defaults.scrape_interval);
  if (timeout > defaults.scrape_interval) {
    return checker.fail(at_key(node, "scrape_timeout"), "global scrape timeout greater than scrape interval (timeout " +
                                                            format_duration(timeout) + ", interval " +
                                                            format_duration(defaults.scrape_interval) + ")");
  }
  defaults.scrape_timeout = timeout != 0 ? timeout : std::min(defaults.scrape_timeout, defaults.scrape_interval);
  defaults.body_size_limit = size_or(node, "body_size_limit", 0);
  defaults.sample_limit = count_or(node, "sample_limit", 0);
  defaults.target_limit = count_or(node, "target_limit", 0);
  defaults.label_limit = count_or(node, "label_limit", 0);
  defaults.label_name_length_limit = count_or(node, "label_name_length_limit", 0);
  defaults.label_value_length_limit = count_or(node, "label_value_length_limit", 0);
  defaults.keep_dropped_targets = count_or(node, "keep_dropped_targets", 0);
  defaults.extra_scrape_metrics = boolean_or(node, "extra_scrape_metrics", false);
  defaults.scrape_failure_log_file = checker.path_of(node.text_of("scrape_failure_log_file"));
  defaults.legacy_names = node.text_of("metric_name_validation_scheme") == "legacy";
  defaults.escaping_scheme = node.text_of("metric_name_escaping_scheme");
  if (auto error = check_protocols(node, checker, "global config")) return *error;
  defaults.scrape_protocols = read_protocols(node);
  return defaults;
}

Result<ScrapeConfig> build_scrape_config(const YamlNode& node, const ScrapeDefaults& defaults,
                                         const SchemaChecker& checker) {
  ScrapeConfig config;
  config.position = node.position;
  config.job_name = node.text_of("job_name");
  const std::string where = "scrape config with job name " + quote(config.job_name);
  if (auto error = read_times(node, defaults, checker, config)) return *error;
  if (auto error = check_protocols(node, checker, where)) return *error;
  if (node.has_text("fallback_scrape_protocol")) {
    if (const auto fault = invalid_protocol(node.text_of("fallback_scrape_protocol"))) {
      return checker.fail(at_key(node, "fallback_scrape_protocol"),
                          "invalid fallback_scrape_protocol for " + where + ": " + *fault);
    }
    config.fallback_scrape_protocol = protocol_of(node.text_of("fallback_scrape_protocol"));
  }
  config.scrape_protocols = read_protocols(node);
  if (config.scrape_protocols.empty()) config.scrape_protocols = defaults.scrape_protocols;
  const std::string_view scheme = node.text_of("metric_name_validation_scheme");
  const bool legacy = scheme.empty() ? defaults.legacy_names : scheme == "legacy";
  if (auto error = check_names(node, defaults, checker, legacy)) return *error;
  config.legacy_names = legacy;
  const std::string_view escaping = node.text_of("metric_name_escaping_scheme");
  const bool inherits = escaping.empty() && scheme.empty();
  config.name_escaping = read_escaping(inherits ? std::string_view(defaults.escaping_scheme) : escaping, legacy);

  if (node.has_text("metrics_path")) config.metrics_path = node.text_of("metrics_path");
  if (node.has_text("scheme")) config.scheme = node.text_of("scheme");
  config.honor_labels = boolean_or(node, "honor_labels", false);
  config.honor_timestamps = boolean_or(node, "honor_timestamps", true);
  config.track_timestamps_staleness = boolean_or(node, "track_timestamps_staleness", false);
  config.enable_compression = boolean_or(node, "enable_compression", true);
  read_limits(node, defaults, config);
  read_params(node, config);
  config.extra_scrape_metrics = boolean_or(node, "extra_scrape_metrics", defaults.extra_scrape_metrics);
  config.scrape_failure_log_file = checker.path_of(node.text_of("scrape_failure_log_file"));
  if (config.scrape_failure_log_file.empty()) config.scrape_failure_log_file = defaults.scrape_failure_log_file;
  config.http_client = build_http_client_config(node, checker);
  config.static_configs = read_target_groups(node);
  config.discoveries = build_discovery_configs(node, checker);
  auto relabels = build_relabel_configs(node.find("relabel_configs"), checker, legacy);
  if (!relabels.ok()) return relabels.error();
  config.relabel_configs = std::move(*relabels);
  auto metric_relabels = build_relabel_configs(node.find("metric_relabel_configs"), checker, legacy);
  if (!metric_relabels.ok()) return metric_relabels.error();
  config.metric_relabel_configs = std::move(*metric_relabels);
  return config;
}

}  // namespace pipit
