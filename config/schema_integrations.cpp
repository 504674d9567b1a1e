// The tables of what talks to other systems and of the store: remote_write, remote_read, storage, tracing, otlp,
// runtime. Source of keys, rules and wordings: Prometheus 3.14, config/config.go.

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

// ---- remote_write, remote_read

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

constexpr std::string_view kUnsigned = "is not supported yet: requests are sent without it";
constexpr const Section* kWithHttpClient[] = {&kHttpClientSection};
constexpr Field kRemoteWriteFields[] = {
    {"url", url},
    {"remote_timeout", duration},
    {"headers", string_map},
    {"write_relabel_configs", section_list, &kWriteRelabelSection},
    {"name"},
    {"send_exemplars", boolean},
    {"send_native_histograms", boolean, nullptr, "", "is not supported yet: there are no native histograms", "false"},
    {"round_robin_dns", boolean},
    {"protobuf_message"},
    {"queue_config", section, &kQueue},
    {"metadata_config", section, &kMetadata},
    {"sigv4", section, &kSigV4Section, "", kUnsigned},
    {"azuread", section, &kAzureAd, "", kUnsigned},
    {"google_iam", section, &kGoogleIam, "", kUnsigned},
};

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

// ---- storage, tracing, otlp, runtime

Failure check_retention(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* percentage = node.find("percentage");
  if (percentage == nullptr) return std::nullopt;
  const double value = yaml_number(*percentage).value_or(0);
  if (!(value >= 0 && value <= 100)) {
    return checker.fail(*percentage, "'storage.tsdb.retention.percentage' must be in the range [0, 100]");
  }
  return std::nullopt;
}

constexpr std::string_view kDiskShare = "is not supported yet: use time or size";
constexpr Field kRetentionFields[] = {
    {"time", duration},
    {"size", size},
    {"percentage", number, nullptr, "", kDiskShare, "0"},
};
constexpr Section kRetention{"retention", kRetentionFields, {}, check_retention};
constexpr Field kChunkEncodingFields[] = {{"floats", string, nullptr, "xor|xor2"},
                                          {"histograms", string, nullptr, "xor|alp"}};
constexpr Section kChunkEncoding{"chunk_encoding", kChunkEncodingFields};
constexpr Field kTsdbFields[] = {
    {"out_of_order_time_window", duration},
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
    {"exemplars", section, &kExemplars},
};

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

constexpr Field kRuntimeFields[] = {{"gogc", integer}};

}  // namespace

constinit const Section kRemoteWriteSection{"remote_write", kRemoteWriteFields, kWithHttpClient, check_remote_write,
                                            "empty or null remote write config section"};

constinit const Section kRemoteReadSection{"remote_read", kRemoteReadFields, kWithHttpClient, check_remote_read,
                                           "empty or null remote read config section"};

constinit const Section kStorageSection{"storage", kStorageFields};

constinit const Section kTracingSection{"tracing", kTracingFields, {}, check_tracing};

constinit const Section kOtlpSection{"otlp", kOtlpFields, {}, check_otlp};

constinit const Section kRuntimeSection{"runtime", kRuntimeFields};

}  // namespace pipit
