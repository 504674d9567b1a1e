// The tables of the file's own sections: global, scrape_configs and what later work acts on.
// Source of keys, rules and wordings: Prometheus 3.14, config/config.go.

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "config/relabel_config.h"
#include "config/schema.h"
#include "model/duration.h"

namespace pipit {
namespace {

using enum FieldType;
using Failure = std::optional<Error>;

constexpr std::string_view kValidationSchemes = "legacy|utf8";
constexpr std::string_view kEscapingSchemes = "allow-utf-8|underscores|dots|values";
constexpr std::string_view kNativeHistograms = "is not supported yet: native histograms are not scraped";
constexpr std::string_view kFailureLog = "is not supported yet: failed scrapes are logged to the program's own log";
constexpr std::string_view kProtocols = "is not supported yet: targets are asked for the text format 0.0.4";
constexpr std::string_view kDroppedTargets = "is not supported yet: all dropped targets are kept in memory";
constexpr std::string_view kExtraMetrics = "is not supported yet: the extra metrics of each scrape are not stored";

// ---- global -------------------------------------------------------------------------------------------------------

constexpr Field kGlobalFields[] = {
    {"scrape_interval", duration},
    {"scrape_timeout", duration},
    {"evaluation_interval", duration},
    {"rule_query_offset", duration, nullptr, "", "is not supported yet: rules are not evaluated", "0s"},
    {"scrape_protocols", string_list, nullptr, "", kProtocols, "PrometheusText0.0.4"},
    {"query_log_file", string, nullptr, "", "is not supported yet: queries are not logged"},
    {"scrape_failure_log_file", string, nullptr, "", kFailureLog},
    {"external_labels", string_map},
    {"body_size_limit", size},
    {"sample_limit", unsigned_integer},
    {"target_limit", unsigned_integer},
    {"label_limit", unsigned_integer},
    {"label_name_length_limit", unsigned_integer},
    {"label_value_length_limit", unsigned_integer},
    {"keep_dropped_targets", unsigned_integer, nullptr, "", kDroppedTargets, "0"},
    {"metric_name_validation_scheme", string, nullptr, kValidationSchemes},
    {"metric_name_escaping_scheme", string, nullptr, kEscapingSchemes},
    {"scrape_native_histograms", boolean, nullptr, "", kNativeHistograms},
    {"convert_classic_histograms_to_nhcb", boolean, nullptr, "", kNativeHistograms},
    {"always_scrape_classic_histograms", boolean},
    {"extra_scrape_metrics", boolean, nullptr, "", kExtraMetrics},
};
constexpr Section kGlobal{"global", kGlobalFields};

// ---- relabelling: one set of keys, and a message of its own for each place that has an empty rule
// ---------------------

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
constexpr Section kWriteRelabel = relabel_section("empty or null relabeling rule in remote write config");

Failure check_relabel_list(const YamlNode& node, std::string_view key, const SchemaChecker& checker) {
  const auto steps = build_relabel_configs(node.find(key), checker, checker.legacy_names);
  if (steps.ok()) return std::nullopt;
  return steps.error();
}

// ---- scrape_configs -------------------------------------------------------------------------------------------------

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
    {"scrape_protocols", string_list, nullptr, "", kProtocols, "PrometheusText0.0.4"},
    {"fallback_scrape_protocol", string, nullptr, "", kProtocols, "PrometheusText0.0.4"},
    {"scrape_native_histograms", boolean, nullptr, "", kNativeHistograms},
    {"always_scrape_classic_histograms", boolean},
    {"convert_classic_histograms_to_nhcb", boolean, nullptr, "", kNativeHistograms},
    {"native_histogram_bucket_limit", unsigned_integer},
    {"native_histogram_min_bucket_factor", number},
    {"extra_scrape_metrics", boolean, nullptr, "", kExtraMetrics},
    {"scrape_failure_log_file", string, nullptr, "", kFailureLog},
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
    {"keep_dropped_targets", unsigned_integer, nullptr, "", kDroppedTargets, "0"},
    {"metric_name_validation_scheme", string, nullptr, kValidationSchemes},
    {"metric_name_escaping_scheme", string, nullptr, kEscapingSchemes},
    {"relabel_configs", section_list, &kTargetRelabel},
    {"metric_relabel_configs", section_list, &kMetricRelabel},
};

// ---- alerting
// ---------------------------------------------------------------------------------------------------------

constexpr Field kSigV4Fields[] = {
    {"region"},
    {"access_key"},
    {"secret_key", secret},
    {"profile"},
    {"role_arn"},
    {"external_id"},
    {"use_fips_sts_endpoint", boolean},
};
constexpr Section kSigV4{"sigv4", kSigV4Fields};

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
    {"sigv4", section, &kSigV4},
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

// ---- remote_write, remote_read
// -------------------------------------------------------------------------------------------

/// Headers that remote write, remote read and tracing set themselves.
constexpr std::array<std::string_view, 16> kReservedHeaders = {"host",
                                                               "content-encoding",
                                                               "content-length",
                                                               "content-type",
                                                               "user-agent",
                                                               "connection",
                                                               "keep-alive",
                                                               "proxy-authenticate",
                                                               "proxy-authorization",
                                                               "www-authenticate",
                                                               "accept-encoding",
                                                               "x-prometheus-remote-write-version",
                                                               "x-prometheus-remote-read-version",
                                                               "x-amz-date",
                                                               "x-amz-security-token",
                                                               "x-amz-content-sha256"};

Failure check_headers(const YamlNode& node, const SchemaChecker& checker, const char* authorization_message) {
  const YamlNode* headers = node.find("headers");
  if (headers == nullptr) return std::nullopt;
  for (const auto& [name, value] : headers->entries) {
    std::string lower = name->text;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (lower == "authorization") return checker.fail(*name, authorization_message);
    if (std::find(kReservedHeaders.begin(), kReservedHeaders.end(), lower) != kReservedHeaders.end()) {
      return checker.fail(*name, name->text + " is a reserved header. It must not be changed");
    }
  }
  return std::nullopt;
}

constexpr const char* kRemoteAuthorization =
    "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam "
    "parameter";

Failure check_queue(const YamlNode& node, SchemaChecker& checker) {
  std::map<std::string_view, std::int64_t> counts = {
      {"capacity", 10'000}, {"max_shards", 50}, {"min_shards", 1}, {"max_samples_per_send", 2'000}};
  for (auto& [key, count] : counts) {
    const YamlNode* value = node.find(key);
    if (value == nullptr) continue;
    count = yaml_integer(*value).value_or(0);
    if (count <= 0) return checker.fail(*value, "queue_config: " + std::string(key) + " must be greater than 0");
  }
  if (counts["min_shards"] > counts["max_shards"]) {
    return checker.fail(node, "queue_config: min_shards must not be greater than max_shards");
  }
  const auto backoff = [&node](std::string_view key, DurationMs fallback) {
    const auto parsed = parse_duration(node.text_of(key));
    return node.has_text(key) && parsed.ok() ? *parsed : fallback;
  };
  if (backoff("min_backoff", 30) > backoff("max_backoff", 5'000)) {
    return checker.fail(node, "queue_config: max_backoff must not be less than min_backoff");
  }
  return std::nullopt;
}

constexpr Field kQueueFields[] = {
    {"capacity", integer},
    {"max_shards", integer},
    {"min_shards", integer},
    {"max_samples_per_send", integer},
    {"batch_send_deadline", duration},
    {"min_backoff", duration},
    {"max_backoff", duration},
    {"retry_on_http_429", boolean},
    {"sample_age_limit", duration},
};
constexpr Section kQueue{"queue_config", kQueueFields, {}, check_queue};

constexpr Field kMetadataFields[] = {{"send", boolean}, {"send_interval", duration}, {"max_samples_per_send", integer}};
constexpr Section kMetadata{"metadata_config", kMetadataFields};

constexpr Field kManagedIdentityFields[] = {{"client_id"}};
constexpr Section kManagedIdentity{"managed_identity", kManagedIdentityFields};
constexpr Field kWorkloadIdentityFields[] = {{"client_id"}, {"tenant_id"}, {"token_file_path"}};
constexpr Section kWorkloadIdentity{"workload_identity", kWorkloadIdentityFields};
constexpr Field kAzureOAuthFields[] = {{"client_id"}, {"client_secret", secret}, {"tenant_id"}};
constexpr Section kAzureOAuth{"oauth", kAzureOAuthFields};
constexpr Field kAzureSdkFields[] = {{"tenant_id"}};
constexpr Section kAzureSdk{"sdk", kAzureSdkFields};
constexpr Field kAzureAdFields[] = {
    {"cloud"},
    {"scope"},
    {"managed_identity", section, &kManagedIdentity},
    {"workload_identity", section, &kWorkloadIdentity},
    {"oauth", section, &kAzureOAuth},
    {"sdk", section, &kAzureSdk},
};
constexpr Section kAzureAd{"azuread", kAzureAdFields};
constexpr Field kGoogleIamFields[] = {{"credentials_file"}};
constexpr Section kGoogleIam{"google_iam", kGoogleIamFields};

Failure check_remote_write(const YamlNode& node, SchemaChecker& checker) {
  if (!node.has_text("url")) return checker.fail(node, "url for remote_write is empty");
  if (auto error = check_headers(node, checker, kRemoteAuthorization)) return error;
  const std::string_view message = node.text_of("protobuf_message");
  if (!message.empty() && message != "prometheus.WriteRequest" && message != "io.prometheus.write.v2.Request") {
    return checker.fail(*node.find("protobuf_message"),
                        "invalid protobuf_message value: unknown type for remote write protobuf message " +
                            std::string(message) +
                            ", supported: prometheus.WriteRequest, io.prometheus.write.v2.Request");
  }
  std::string configured;
  int count = 0;
  for (const std::string_view key : {"basic_auth", "authorization", "oauth2", "sigv4", "azuread", "google_iam"}) {
    if (!node.has(key)) continue;
    ++count;
    configured += (configured.empty() ? "" : " ") + std::string(key);
  }
  if (count > 1) {
    return checker.fail(node,
                        "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be "
                        "configured. Currently configured: [" +
                            configured + "]");
  }
  return check_relabel_list(node, "write_relabel_configs", checker);
}

Failure check_remote_read(const YamlNode& node, SchemaChecker& checker) {
  if (!node.has_text("url")) return checker.fail(node, "url for remote_read is empty");
  return check_headers(node, checker, kRemoteAuthorization);
}

constexpr const Section* kWithHttpClient[] = {&kHttpClientSection};
constexpr Field kRemoteWriteFields[] = {
    {"url", url},
    {"remote_timeout", duration},
    {"headers", string_map},
    {"write_relabel_configs", section_list, &kWriteRelabel},
    {"name"},
    {"send_exemplars", boolean},
    {"send_native_histograms", boolean},
    {"round_robin_dns", boolean},
    {"protobuf_message"},
    {"queue_config", section, &kQueue},
    {"metadata_config", section, &kMetadata},
    {"sigv4", section, &kSigV4},
    {"azuread", section, &kAzureAd},
    {"google_iam", section, &kGoogleIam},
};
constexpr Section kRemoteWrite{"remote_write", kRemoteWriteFields, kWithHttpClient, check_remote_write,
                               "empty or null remote write config section"};

constexpr Field kRemoteReadFields[] = {
    {"url", url},
    {"remote_timeout", duration},
    {"chunked_read_limit", unsigned_integer},
    {"headers", string_map},
    {"read_recent", boolean},
    {"name"},
    {"required_matchers", string_map},
    {"filter_external_labels", boolean},
};
constexpr Section kRemoteRead{"remote_read", kRemoteReadFields, kWithHttpClient, check_remote_read,
                              "empty or null remote read config section"};

// ---- storage, tracing, otlp, runtime
// -----------------------------------------------------------------------------------

Failure check_retention(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* percentage = node.find("percentage");
  if (percentage == nullptr) return std::nullopt;
  const double value = yaml_number(*percentage).value_or(0);
  if (!(value >= 0 && value <= 100)) {
    return checker.fail(*percentage, "'storage.tsdb.retention.percentage' must be in the range [0, 100]");
  }
  return std::nullopt;
}

constexpr std::string_view kDiskRetention = "is not supported yet: only the age of samples limits the store";
constexpr Field kRetentionFields[] = {
    {"time", duration},
    {"size", size, nullptr, "", kDiskRetention, "0"},
    {"percentage", number, nullptr, "", kDiskRetention, "0"},
};
constexpr Section kRetention{"retention", kRetentionFields, {}, check_retention};
constexpr Field kChunkEncodingFields[] = {{"floats", string, nullptr, "xor|xor2"},
                                          {"histograms", string, nullptr, "xor|alp"}};
constexpr Section kChunkEncoding{"chunk_encoding", kChunkEncodingFields};
constexpr Field kTsdbFields[] = {
    {"out_of_order_time_window", duration, nullptr, "",
     "is not supported yet: samples older than a series' newest are refused", "0s"},
    {"stale_series_compaction_threshold", number, nullptr, "", "has no effect: idle series leave RAM by themselves",
     "0"},
    {"retention", section, &kRetention},
    {"chunk_encoding", section, &kChunkEncoding, "", "has no effect: chunks choose their encoding by their data"},
};
constexpr Section kTsdb{"tsdb", kTsdbFields};
constexpr Field kExemplarFields[] = {{"max_exemplars", integer}};
constexpr Section kExemplars{"exemplars", kExemplarFields};
constexpr Field kStorageFields[] = {
    {"tsdb", section, &kTsdb},
    {"exemplars", section, &kExemplars, "", "is not supported yet: exemplars are not stored"},
};
constexpr Section kStorage{"storage", kStorageFields};

Failure check_tracing(const YamlNode& node, SchemaChecker& checker) {
  if (auto error = check_headers(node, checker, "custom authorization header configuration is not yet supported")) {
    return error;
  }
  if (!node.has_text("endpoint")) return checker.fail(node, "tracing endpoint must be set");
  const std::string_view compression = node.text_of("compression");
  if (!compression.empty() && compression != "gzip") {
    return checker.fail(*node.find("compression"),
                        "invalid compression type " + std::string(compression) + " provided, valid options: gzip");
  }
  return std::nullopt;
}

constexpr Field kTracingFields[] = {
    {"client_type", string, nullptr, "http|grpc"},
    {"endpoint"},
    {"sampling_fraction", number},
    {"insecure", boolean},
    {"tls_config", section, &kTlsSection},
    {"headers", string_map},
    {"compression"},
    {"timeout", duration},
};
constexpr Section kTracing{"tracing", kTracingFields, {}, check_tracing};

/// Attributes of a list of `otlp`: none empty, none twice, blanks around them not counted.
Failure check_attributes(const YamlNode& node, const SchemaChecker& checker, const std::string& key,
                         const std::string& role) {
  const YamlNode* list = node.find(key);
  if (list == nullptr) return std::nullopt;
  std::set<std::string> seen;
  for (const YamlNodePtr& item : list->items) {
    const std::size_t begin = item->text.find_first_not_of(" \t\r\n");
    const std::size_t end = item->text.find_last_not_of(" \t\r\n");
    const std::string name = begin == std::string::npos ? "" : item->text.substr(begin, end - begin + 1);
    if (name.empty()) return checker.fail(*item, "invalid '" + key + "': empty " + role + " OTel resource attribute");
    if (!seen.insert(name).second) {
      return checker.fail(*item,
                          "invalid '" + key + "': duplicated " + role + " OTel resource attribute " + quote(name));
    }
  }
  return std::nullopt;
}

Failure check_otlp(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* all = node.find("promote_all_resource_attributes");
  const YamlNode* promoted = node.find("promote_resource_attributes");
  const YamlNode* ignored = node.find("ignore_resource_attributes");
  const bool promote_all = all != nullptr && yaml_boolean(*all).value_or(false);
  if (promote_all && promoted != nullptr && !promoted->is_empty()) {
    return checker.fail(*promoted,
                        "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured "
                        "simultaneously");
  }
  if (!promote_all && ignored != nullptr && !ignored->is_empty()) {
    return checker.fail(*ignored,
                        "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' "
                        "is true");
  }
  if (auto error = check_attributes(node, checker, "ignore_resource_attributes", "ignored")) return error;
  if (auto error = check_attributes(node, checker, "promote_resource_attributes", "promoted")) return error;
  const std::string strategy(node.text_of("translation_strategy"));
  if (strategy.empty() || strategy == "UnderscoreEscapingWithSuffixes" ||
      strategy == "UnderscoreEscapingWithoutSuffixes") {
    return std::nullopt;
  }
  const YamlNode& at = *node.find("translation_strategy");
  if (strategy != "NoTranslation" && strategy != "NoUTF8EscapingWithSuffixes") {
    return checker.fail(at, "unsupported OTLP translation strategy " + quote(strategy));
  }
  if (checker.legacy_names) {
    return checker.fail(at, "OTLP translation strategy " + quote(strategy) + " is not allowed when UTF8 is disabled");
  }
  return std::nullopt;
}

constexpr Field kOtlpFields[] = {
    {"promote_all_resource_attributes", boolean},
    {"promote_resource_attributes", string_list},
    {"ignore_resource_attributes", string_list},
    {"translation_strategy"},
    {"keep_identifying_resource_attributes", boolean},
    {"convert_histograms_to_nhcb", boolean},
    {"promote_scope_metadata", boolean},
    {"label_name_underscore_sanitization", boolean},
    {"label_name_preserve_multiple_underscores", boolean},
};
constexpr Section kOtlp{"otlp", kOtlpFields, {}, check_otlp};

constexpr Field kRuntimeFields[] = {{"gogc", integer}};
constexpr Section kRuntime{"runtime", kRuntimeFields};

// ---- the top
// -------------------------------------------------------------------------------------------------------------

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
    {"runtime", section, &kRuntime, "", "has no effect: there is no Go runtime to tune"},
    {"alerting", section, &kAlerting, "", "is not supported yet: no alerts are sent"},
    {"rule_files", string_list, nullptr, "", "is not supported yet: rules are not evaluated"},
    {"scrape_config_files", string_list},
    {"scrape_configs", section_list, &kScrapeConfigSection},
    {"storage", section, &kStorage},
    {"tracing", section, &kTracing, "", "is not supported yet: no traces are sent"},
    {"remote_write", section_list, &kRemoteWrite, "", "is not supported yet: no samples are sent"},
    {"remote_read", section_list, &kRemoteRead, "", "is not supported yet: queries see local samples only"},
    {"otlp", section, &kOtlp, "", "is not supported yet: OTLP is not received"},
};

constexpr Field kScrapeConfigFileFields[] = {{"scrape_configs", section_list, &kScrapeConfigSection}};

}  // namespace

constinit const Section kScrapeConfigSection{"scrape_config", kScrapeFields, kScrapeIncludes, check_scrape_config,
                                             "empty or null scrape config section"};
constinit const Section kConfigSection{"the configuration", kConfigFields, {}, check_config};
constinit const Section kScrapeConfigFileSection{"a scrape config file", kScrapeConfigFileFields};

}  // namespace pipit
