#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pipit {

class SchemaChecker;
struct YamlNode;

/// A secret, in the configuration itself or in a file that is read again when it changes.
struct SecretSource {
  std::string text;
  std::string file;
  bool empty() const { return text.empty() && file.empty(); }
  bool operator==(const SecretSource&) const = default;
};

enum class TlsVersion { unset, tls10, tls11, tls12, tls13 };

/// A `tls_config`. PEM in the file itself, or paths.
struct TlsConfig {
  SecretSource ca;
  SecretSource certificate;
  SecretSource key;
  std::string server_name;
  bool insecure_skip_verify = false;
  TlsVersion min_version = TlsVersion::unset;  ///< unset: TLS 1.2
  TlsVersion max_version = TlsVersion::unset;
  bool operator==(const TlsConfig&) const = default;
};

struct ProxyConfig {
  std::string url;  ///< "": none
  std::string no_proxy;
  bool from_environment = false;
  std::vector<std::pair<std::string, std::vector<std::string>>> connect_headers;
  bool operator==(const ProxyConfig&) const = default;
};

struct BasicAuth {
  SecretSource username;
  SecretSource password;
  bool operator==(const BasicAuth&) const = default;
};

/// `authorization`, and what `bearer_token` and `bearer_token_file` stand for.
struct Authorization {
  std::string type = "Bearer";
  SecretSource credentials;
  bool operator==(const Authorization&) const = default;
};

/// OAuth 2.0, client credentials grant.
struct OAuth2Config {
  std::string client_id;
  SecretSource client_secret;
  std::string token_url;
  std::vector<std::string> scopes;
  std::vector<std::pair<std::string, std::string>> endpoint_params;
  TlsConfig tls;
  ProxyConfig proxy;
  bool operator==(const OAuth2Config&) const = default;
};

struct HttpHeader {
  std::string name;
  std::vector<std::string> values;  ///< those of `values`, then those of `secrets`
  std::vector<std::string> files;
  bool operator==(const HttpHeader&) const = default;
};

/// How requests are made: the keys that scrape jobs and discovery have in common.
struct HttpClientConfig {
  std::optional<BasicAuth> basic_auth;
  std::optional<Authorization> authorization;
  std::optional<OAuth2Config> oauth2;
  TlsConfig tls;
  ProxyConfig proxy;
  bool follow_redirects = true;
  std::vector<HttpHeader> headers;
  bool operator==(const HttpClientConfig&) const = default;
};

/// Builds the options from a section that `kHttpClientSection` has found right. Paths are joined with the folder of
/// the configuration file.
HttpClientConfig build_http_client_config(const YamlNode& node, const SchemaChecker& checker);
/// The same of a `tls_config` alone.
TlsConfig build_tls_config(const YamlNode& node, const SchemaChecker& checker);

/// All files that the options name, for `pipit check config`.
std::vector<std::string> named_files(const HttpClientConfig& config);

}  // namespace pipit
