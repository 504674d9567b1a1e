// The tables of the file's own sections: global, scrape_configs and what later work acts on.
// Source of keys, rules and wordings: Prometheus 3.14, config/config.go.

#include <set>

#include "config/relabel_config.h"
#include "config/schema.h"

namespace pipit {
namespace {

using enum FieldType;
using Failure = std::optional<Error>;

constexpr std::string_view kValidationSchemes = "legacy|utf8";
constexpr std::string_view kEscapingSchemes = "allow-utf-8|underscores|dots|values";
constexpr std::string_view kNativeHistograms = "is not supported yet: native histograms are not scraped";
constexpr std::string_view kProtocols = "is not supported yet for PrometheusProto: targets are asked for the others";

// ---- global

constexpr Field kGlobalFields[] = {
    {"scrape_interval", duration},
    {"scrape_timeout", duration},
    {"evaluation_interval", duration},
    {"rule_query_offset", duration},
    {"scrape_protocols", string_list, nullptr, "", kProtocols, "!PrometheusProto"},
    {"query_log_file", string, nullptr, "", "is not supported yet: queries are not logged"},
    {"scrape_failure_log_file"},
    {"external_labels", string_map},
    {"body_size_limit", size},
    {"sample_limit", unsigned_integer},
    {"target_limit", unsigned_integer},
    {"label_limit", unsigned_integer},
    {"label_name_length_limit", unsigned_integer},
    {"label_value_length_limit", unsigned_integer},
    {"keep_dropped_targets", unsigned_integer},
    {"metric_name_validation_scheme", string, nullptr, kValidationSchemes},
    {"metric_name_escaping_scheme", string, nullptr, kEscapingSchemes},
    {"scrape_native_histograms", boolean, nullptr, "", kNativeHistograms},
    {"convert_classic_histograms_to_nhcb", boolean, nullptr, "", kNativeHistograms},
    {"always_scrape_classic_histograms", boolean},
    {"extra_scrape_metrics", boolean},
};
constexpr Section kGlobal{"global", kGlobalFields};

// ---- relabelling: one set of keys, but each place has its own message for an empty rule

constexpr Field kRelabelFields[] = {
    {"source_labels", string_list}, {"separator"},   {"target_label"}, {"regex"},
    {"modulus", unsigned_integer},  {"replacement"}, {"action"},
};
constexpr Section relabel_section(std::string_view empty_item) {
  return {"relabel_config", kRelabelFields, {}, nullptr, empty_item};
}
constexpr Section kTargetRelabel = relabel_section("empty or null target relabeling rule in scrape config");
constexpr Section kMetricRelabel = relabel_section("empty or null metric relabeling rule in scrape config");
constexpr Section kAlertRelabel = relabel_section("empty or null alert relabeling rule");
constexpr Section kAlertmanagerRelabel = relabel_section("empty or null Alertmanager target relabeling rule");
constexpr Section kAlertmanagerAlertRelabel = relabel_section("empty or null Alertmanager alert relabeling rule");

// ---- scrape_configs

/// Addresses that nobody rewrites must be host and port.
Failure check_static_targets(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* relabels = node.find("relabel_configs");
  if (relabels != nullptr && !relabels->is_empty()) return std::nullopt;
  const YamlNode* groups = node.find("static_configs");
  if (groups == nullptr) return std::nullopt;
  for (const YamlNodePtr& group : groups->items) {
    const YamlNode* targets = group->find("targets");
    if (targets == nullptr) continue;
    for (const YamlNodePtr& target : targets->items) {
      if (target->text.find('/') != std::string::npos) {
        return checker.fail(*target, quote(target->text) +
                                         " is not a valid hostname; write host:port, and scheme and "
                                         "metrics_path as keys of the job");
      }
    }
  }
  return std::nullopt;
}

Failure check_scrape_config(const YamlNode& node, SchemaChecker& checker) {
  if (!node.has_text("job_name")) {
    const YamlNode* name = node.find("job_name");
    return checker.fail(name == nullptr ? node : *name, "job_name is empty");
  }
  return check_static_targets(node, checker);
}

constexpr const Section* kScrapeIncludes[] = {&kHttpClientSection, &kDiscoverySection};
constexpr Field kScrapeFields[] = {
    {"job_name"},
    {"scrape_interval", duration},
    {"scrape_timeout", duration},
    {"scrape_protocols", string_list, nullptr, "", kProtocols, "!PrometheusProto"},
    {"fallback_scrape_protocol", string, nullptr, "", kProtocols, "!PrometheusProto"},
    {"scrape_native_histograms", boolean, nullptr, "", kNativeHistograms},
    {"always_scrape_classic_histograms", boolean},
    {"convert_classic_histograms_to_nhcb", boolean, nullptr, "", kNativeHistograms},
    {"native_histogram_bucket_limit", unsigned_integer},
    {"native_histogram_min_bucket_factor", number},
    {"extra_scrape_metrics", boolean},
    {"scrape_failure_log_file"},
    {"metrics_path"},
    {"scheme", string, nullptr, "http|https"},
    {"params", string_list_map},
    {"honor_labels", boolean},
    {"honor_timestamps", boolean},
    {"track_timestamps_staleness", boolean},
    {"enable_compression", boolean},
    {"body_size_limit", size},
    {"sample_limit", unsigned_integer},
    {"target_limit", unsigned_integer},
    {"label_limit", unsigned_integer},
    {"label_name_length_limit", unsigned_integer},
    {"label_value_length_limit", unsigned_integer},
    {"keep_dropped_targets", unsigned_integer},
    {"metric_name_validation_scheme", string, nullptr, kValidationSchemes},
    {"metric_name_escaping_scheme", string, nullptr, kEscapingSchemes},
    {"relabel_configs", section_list, &kTargetRelabel},
    {"metric_relabel_configs", section_list, &kMetricRelabel},
};

// ---- alerting

constexpr Field kSigV4Fields[] = {
    {"region"},
    {"access_key"},
    {"secret_key", secret},
    {"profile"},
    {"role_arn"},
    {"external_id"},
    {"use_fips_sts_endpoint", boolean},
};

Failure check_alertmanager(const YamlNode& node, SchemaChecker& checker) {
  const std::string_view version = node.text_of("api_version");
  if (!version.empty() && version != "v2") {
    return checker.fail(*node.find("api_version"),
                        "expected Alertmanager api version to be one of [v2] but got " + std::string(version));
  }
  if (node.has("sigv4") && (node.has("basic_auth") || node.has("authorization") || node.has("oauth2"))) {
    return checker.fail(*node.find("sigv4"),
                        "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured");
  }
  if (auto error = check_static_targets(node, checker)) return error;
  if (auto error = check_relabel_list(node, "alert_relabel_configs", checker)) return error;
  return check_relabel_list(node, "relabel_configs", checker);
}

constexpr Field kAlertmanagerFields[] = {
    {"sigv4", section, &kSigV4Section, "",
     "is not supported: an Alertmanager that asks for signatures would refuse all alerts", "", true},
    {"scheme", string, nullptr, "http|https"},
    {"path_prefix"},
    {"timeout", duration},
    {"api_version"},
    {"relabel_configs", section_list, &kAlertmanagerRelabel},
    {"alert_relabel_configs", section_list, &kAlertmanagerAlertRelabel},
};
constexpr Section kAlertmanager{"alertmanagers", kAlertmanagerFields, kScrapeIncludes, check_alertmanager};

Failure check_alerting(const YamlNode& node, SchemaChecker& checker) {
  return check_relabel_list(node, "alert_relabel_configs", checker);
}

constexpr Field kAlertingFields[] = {
    {"alert_relabel_configs", section_list, &kAlertRelabel},
    {"alertmanagers", section_list, &kAlertmanager},
};
constexpr Section kAlerting{"alerting", kAlertingFields, {}, check_alerting};

// ---- the top

/// `*` may stand in the last part of the path only.
Failure check_globs(const YamlNode& node, const SchemaChecker& checker, std::string_view key, const char* what) {
  const YamlNode* list = node.find(key);
  if (list == nullptr) return std::nullopt;
  for (const YamlNodePtr& path : list->items) {
    const std::size_t star = path->text.find('*');
    if (star != std::string::npos && path->text.find_first_of("*/", star + 1) != std::string::npos &&
        path->text.find('/', star) != std::string::npos) {
      return checker.fail(*path, "invalid " + std::string(what) + " file path " + quote(path->text) +
                                     "; * may stand in the last part of a path only");
    }
  }
  return std::nullopt;
}

Failure check_unique_names(const YamlNode& node, const SchemaChecker& checker, std::string_view key, const char* what) {
  const YamlNode* list = node.find(key);
  if (list == nullptr) return std::nullopt;
  std::set<std::string_view> names;
  for (const YamlNodePtr& item : list->items) {
    const std::string_view name = item->text_of("name");
    if (!name.empty() && !names.insert(name).second) {
      return checker.fail(*item->find("name"),
                          "found multiple " + std::string(what) + " configs with job name " + quote(name));
    }
  }
  return std::nullopt;
}

Failure check_config(const YamlNode& node, SchemaChecker& checker) {
  if (auto error = check_globs(node, checker, "rule_files", "rule")) return error;
  if (auto error = check_globs(node, checker, "scrape_config_files", "scrape config")) return error;
  if (auto error = check_unique_names(node, checker, "remote_write", "remote write")) return error;
  return check_unique_names(node, checker, "remote_read", "remote read");
}

constexpr Field kConfigFields[] = {
    {"global", section, &kGlobal},
    {"runtime", section, &kRuntimeSection, "", "has no effect: there is no Go runtime to tune"},
    {"alerting", section, &kAlerting},
    {"rule_files", string_list},
    {"scrape_config_files", string_list},
    {"scrape_configs", section_list, &kScrapeConfigSection},
    {"storage", section, &kStorageSection},
    {"tracing", section, &kTracingSection, "", "is not supported yet: no traces are sent"},
    {"remote_write", section_list, &kRemoteWriteSection},
    {"remote_read", section_list, &kRemoteReadSection},
    {"otlp", section, &kOtlpSection, "", "is not supported yet: OTLP is not received"},
};

constexpr Field kScrapeConfigFileFields[] = {{"scrape_configs", section_list, &kScrapeConfigSection}};

}  // namespace

constinit const Section kScrapeConfigSection{"scrape_config", kScrapeFields, kScrapeIncludes, check_scrape_config,
                                             "empty or null scrape config section"};
constinit const Section kSigV4Section{"sigv4", kSigV4Fields};
constinit const Section kWriteRelabelSection = relabel_section("empty or null relabeling rule in remote write config");
constinit const Section kConfigSection{"the configuration", kConfigFields, {}, check_config};
constinit const Section kScrapeConfigFileSection{"a scrape config file", kScrapeConfigFileFields};

}  // namespace pipit
