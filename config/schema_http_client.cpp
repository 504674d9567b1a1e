// Keys of everything that makes HTTP requests, and which of them exclude each other.
// Source of rules and wordings: prometheus/common, config/http_config.go.

#include <algorithm>
#include <array>
#include <cctype>

#include "config/schema.h"

namespace pipit {
namespace {

using enum FieldType;

int count_set(const YamlNode& node, std::initializer_list<std::string_view> keys) {
  return static_cast<int>(
      std::count_if(keys.begin(), keys.end(), [&node](std::string_view key) { return node.has_text(key); }));
}

std::optional<Error> check_tls(const YamlNode& node, SchemaChecker& checker) {
  for (const std::string_view part : {"ca", "cert", "key"}) {
    const std::string name(part);
    if (count_set(node, {name, name + "_file", name + "_ref"}) > 1) {
      return checker.fail(node, "at most one of " + name + ", " + name + "_file & " + name + "_ref must be configured");
    }
  }
  const bool cert = count_set(node, {"cert", "cert_file", "cert_ref"}) > 0;
  const bool key = count_set(node, {"key", "key_file", "key_ref"}) > 0;
  if (cert && !key) {
    return checker.fail(node,
                        "exactly one of key or key_file must be configured when a client certificate is configured");
  }
  if (key && !cert) {
    return checker.fail(node, "exactly one of cert or cert_file must be configured when a client key is configured");
  }
  const std::string_view min = node.text_of("min_version"), max = node.text_of("max_version");
  if (!min.empty() && !max.empty() && min > max) {
    return checker.fail(node, "tls_config.max_version must be greater than or equal to tls_config.min_version");
  }
  return std::nullopt;
}

/// References to secrets of a manager outside: there is none to ask.
constexpr Field without_manager(std::string_view key) {
  return {key, string, nullptr, "", "is not supported: there is no secret manager to ask", "", /*refused=*/true};
}

constexpr std::string_view kOtherGrant = "is not supported yet: the only grant is client_credentials";
constexpr std::string_view kTlsVersions = "TLS10|TLS11|TLS12|TLS13";
constexpr Field kTlsFields[] = {
    {"ca"},
    {"ca_file"},
    without_manager("ca_ref"),
    {"cert"},
    {"cert_file"},
    without_manager("cert_ref"),
    {"key", secret},
    {"key_file"},
    without_manager("key_ref"),
    {"server_name"},
    {"insecure_skip_verify", boolean},
    {"min_version", string, nullptr, kTlsVersions},
    {"max_version", string, nullptr, kTlsVersions},
};

constexpr Field kBasicAuthFields[] = {
    {"username"}, {"username_file"}, without_manager("username_ref"), {"password", secret}, {"password_file"}, without_manager("password_ref"),
};
constexpr Section kBasicAuthSection{"basic_auth", kBasicAuthFields};

constexpr Field kAuthorizationFields[] = {
    {"type"},
    {"credentials", secret},
    {"credentials_file"},
    without_manager("credentials_ref"),
};
constexpr Section kAuthorizationSection{"authorization", kAuthorizationFields};

std::optional<Error> check_proxy(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* environment = node.find("proxy_from_environment");
  const bool from_environment = environment != nullptr && yaml_boolean(*environment).value_or(false);
  const bool url = node.has_text("proxy_url");
  if (from_environment && url) {
    return checker.fail(*environment, "if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (from_environment && node.has_text("no_proxy")) {
    return checker.fail(*environment, "if proxy_from_environment is configured, no_proxy must not be configured");
  }
  const YamlNode* headers = node.find("proxy_connect_header");
  if (headers != nullptr && !headers->is_empty() && !from_environment && !url) {
    return checker.fail(
        *headers, "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
  }
  if (node.has_text("no_proxy") && !url) {
    return checker.fail(*node.find("no_proxy"), "if no_proxy is configured, proxy_url must also be configured");
  }
  const std::string_view scheme = url_scheme(node.text_of("proxy_url"));
  if (!scheme.empty() && scheme != "http") {
    checker.refuse(*node.find("proxy_url"),
                   "proxy_url is not supported yet with " + std::string(scheme) + ": proxies are spoken to by http");
  }
  return std::nullopt;
}

constexpr Field kProxyFields[] = {
    {"proxy_url", url},
    {"no_proxy"},
    {"proxy_from_environment", boolean},
    {"proxy_connect_header", secret_list_map},
};
constexpr Section kProxySection{"proxy", kProxyFields, {}, check_proxy};
constexpr const Section* kProxyIncluded[] = {&kProxySection};

constexpr Field kOAuth2Fields[] = {
    {"client_id"},
    {"client_secret", secret},
    {"client_secret_file"},
    without_manager("client_secret_ref"),
    {"client_certificate_key_id"},
    {"client_certificate_key", secret},
    {"client_certificate_key_file"},
    without_manager("client_certificate_key_ref"),
    {"signature_algorithm"},
    {"grant_type", string, nullptr, "", kOtherGrant, "client_credentials", /*refused=*/true},
    {"iss"},
    {"audience"},
    {"claims", string_map},
    {"scopes", string_list},
    {"token_url"},
    {"endpoint_params", string_map},
    {"tls_config", section, &kTlsSection},
};
constexpr Section kOAuth2Section{"oauth2", kOAuth2Fields, kProxyIncluded};

constexpr Field kHeaderFields[] = {{"values", string_list}, {"secrets", secret_list}, {"files", string_list}};
constexpr Section kHeaderSection{"http_headers", kHeaderFields};

/// Headers that the HTTP client sets itself.
constexpr std::array<std::string_view, 18> kReservedHeaders = {"authorization",
                                                               "host",
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
                                                               "x-prometheus-scrape-timeout-seconds",
                                                               "x-amz-date",
                                                               "x-amz-security-token",
                                                               "x-amz-content-sha256"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::optional<Error> check_authorization(const YamlNode& node, const YamlNode& authorization, SchemaChecker& checker) {
  if (count_set(node, {"bearer_token", "bearer_token_file"}) > 0) {
    return checker.fail(authorization, "authorization is not compatible with bearer_token & bearer_token_file");
  }
  if (count_set(authorization, {"credentials", "credentials_file", "credentials_ref"}) > 1) {
    return checker.fail(authorization,
                        "at most one of authorization credentials & credentials_file must be configured");
  }
  if (lower(authorization.text_of("type")) == "basic") {
    return checker.fail(authorization, "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
  }
  if (node.has("basic_auth") || node.has("oauth2")) {
    return checker.fail(authorization, "at most one of basic_auth, oauth2 & authorization must be configured");
  }
  return std::nullopt;
}

std::optional<Error> check_oauth2(const YamlNode& node, const YamlNode& oauth2, SchemaChecker& checker) {
  if (node.has("basic_auth")) {
    return checker.fail(oauth2, "at most one of basic_auth, oauth2 & authorization must be configured");
  }
  for (const std::string_view key : {"client_id", "token_url"}) {
    if (!oauth2.has_text(key)) return checker.fail(oauth2, "oauth2 " + std::string(key) + " must be configured");
  }
  if (count_set(oauth2, {"client_secret", "client_secret_file", "client_secret_ref"}) > 1) {
    return checker.fail(
        oauth2, "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured");
  }
  return std::nullopt;
}

std::optional<Error> check_basic_auth(const YamlNode& basic_auth, SchemaChecker& checker) {
  for (const std::string_view part : {"username", "password"}) {
    const std::string name(part);
    if (count_set(basic_auth, {name, name + "_file", name + "_ref"}) > 1) {
      return checker.fail(basic_auth, "at most one of basic_auth " + name + ", " + name + "_file & " + name +
                                          "_ref must be configured");
    }
  }
  return std::nullopt;
}

std::optional<Error> check_http_client(const YamlNode& node, SchemaChecker& checker) {
  const int bearer = count_set(node, {"bearer_token", "bearer_token_file"});
  if (bearer > 1) {
    return checker.fail(node, "at most one of bearer_token & bearer_token_file must be configured");
  }
  if (bearer > 0 && (node.has("basic_auth") || node.has("oauth2"))) {
    return checker.fail(node, "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  }
  if (node.has("basic_auth")) {
    if (auto error = check_basic_auth(*node.find("basic_auth"), checker)) return error;
  }
  if (node.has("authorization")) {
    if (auto error = check_authorization(node, *node.find("authorization"), checker)) return error;
  }
  if (node.has("oauth2")) {
    if (auto error = check_oauth2(node, *node.find("oauth2"), checker)) return error;
  }
  if (const YamlNode* headers = node.find("http_headers")) {
    for (const auto& [name, value] : headers->entries) {
      if (std::find(kReservedHeaders.begin(), kReservedHeaders.end(), lower(name->text)) != kReservedHeaders.end()) {
        return checker.fail(*name, "setting header " + quote(name->text) + " is not allowed");
      }
    }
  }
  return std::nullopt;
}

constexpr Field kHttpClientFields[] = {
    {"basic_auth", section, &kBasicAuthSection},
    {"authorization", section, &kAuthorizationSection},
    {"oauth2", section, &kOAuth2Section},
    {"bearer_token", secret},
    {"bearer_token_file"},
    {"tls_config", section, &kTlsSection},
    {"follow_redirects", boolean},
    {"enable_http2", boolean},
    {"http_headers", section_map, &kHeaderSection},
    {"proxy_url", url},
    {"no_proxy"},
    {"proxy_from_environment", boolean},
    {"proxy_connect_header", secret_list_map},
};

}  // namespace

constinit const Section kTlsSection{"tls_config", kTlsFields, {}, check_tls};
constinit const Section kHttpClientSection{"HTTP client options", kHttpClientFields, kProxyIncluded, check_http_client};

}  // namespace pipit
