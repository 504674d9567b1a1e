// Source of the format: prometheus/exporter-toolkit, docs/web-configuration.md.

#include "api/web_config.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <span>
#include <string_view>

#include "api/password_check.h"
#include "config/config_file.h"
#include "config/suggestion.h"
#include "config/yaml_tree.h"
#include "model/duration.h"

namespace pipit {
namespace {

using ClientAuth = TlsServerConfig::ClientAuth;

template <class T>
struct Named {
  std::string_view name;
  T value;
};

constexpr Named<ClientAuth> kClientAuths[] = {
    {"", ClientAuth::none},
    {"NoClientCert", ClientAuth::none},
    {"RequestClientCert", ClientAuth::request},
    {"RequireAnyClientCert", ClientAuth::require_any},
    {"RequireClientCert", ClientAuth::require_any},
    {"VerifyClientCertIfGiven", ClientAuth::verify_if_given},
    {"RequireAndVerifyClientCert", ClientAuth::require_and_verify},
};
constexpr Named<int> kVersions[] = {{"TLS12", TLS1_2_VERSION}, {"TLS13", TLS1_3_VERSION}};
constexpr Named<std::string_view> kCurves[] = {
    {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}};
/// What Go takes for secure. Those of TLS 1.3 can't be chosen there either.
constexpr Named<std::string_view> kCiphers[] = {
    {"TLS_AES_128_GCM_SHA256", ""},
    {"TLS_AES_256_GCM_SHA384", ""},
    {"TLS_CHACHA20_POLY1305_SHA256", ""},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
};

constexpr std::array<std::string_view, 4> kSections{"tls_server_config", "http_server_config", "basic_auth_users",
                                                    "rate_limit"};
constexpr std::array<std::string_view, 13> kTlsKeys{"cert",
                                                    "key",
                                                    "client_ca",
                                                    "cert_file",
                                                    "key_file",
                                                    "client_ca_file",
                                                    "min_version",
                                                    "max_version",
                                                    "cipher_suites",
                                                    "curve_preferences",
                                                    "client_auth_type",
                                                    "client_allowed_sans",
                                                    "prefer_server_cipher_suites"};
constexpr std::array<std::string_view, 2> kHttpKeys{"http2", "headers"};
constexpr std::array<std::string_view, 2> kRateKeys{"interval", "burst"};
constexpr std::array<std::string_view, 5> kHeaders{"Content-Security-Policy", "X-Frame-Options",
                                                   "X-Content-Type-Options", "X-XSS-Protection",
                                                   "Strict-Transport-Security"};

/// Turns the tree of one file into a WebConfig. `status` keeps the first mistake.
class WebConfigReader {
 public:
  WebConfigReader(const std::string& path, std::vector<std::string>& files)
      : path_(path), folder_(std::filesystem::path(path).parent_path()), files_(files) {
    config_.tls.min_version = TLS1_2_VERSION;
    config_.tls.max_version = TLS1_3_VERSION;
  }

  Result<WebConfig> read(const YamlNode& root) {
    if (!mapping(root, "the web configuration", kSections)) return status_.error();
    if (const YamlNode* tls = root.find("tls_server_config")) read_tls(*tls);
    if (const YamlNode* http = root.find("http_server_config")) read_http(*http);
    if (const YamlNode* users = root.find("basic_auth_users")) read_users(*users);
    if (const YamlNode* rate = root.find("rate_limit")) read_rate_limit(*rate);
    if (!status_.ok()) return status_.error();
    return std::move(config_);
  }

 private:
  void fail(ConfigPosition at, const std::string& message) {
    if (status_.ok()) status_ = config_error(path_, at, message);
  }

  /// Whether `node` is a mapping, or nothing, with these keys only.
  bool mapping(const YamlNode& node, const std::string& what, std::span<const std::string_view> keys) {
    if (!node.is_null() && !node.is_mapping()) fail(node.position, what + " must be a mapping of keys to values");
    for (const auto& [key, value] : node.entries) {
      if (std::find(keys.begin(), keys.end(), key->text) != keys.end()) continue;
      fail(key->position, "unknown field \"" + key->text + "\" in " + what + suggestion(key->text, keys));
    }
    return status_.ok();
  }

  /// The scalar at `key`, "" when there is none.
  std::string text(const YamlNode& node, std::string_view key) {
    const YamlNode* value = node.find(key);
    if (value == nullptr || value->is_null()) return "";
    if (!value->is_scalar()) fail(value->position, std::string(key) + " must be a text");
    return value->text;
  }

  bool boolean(const YamlNode& node, std::string_view key, bool fallback) {
    const std::string value = text(node, key);
    if (value == "true") return true;
    if (value == "false") return false;
    if (!value.empty()) fail(node.find(key)->position, std::string(key) + " must be true or false");
    return fallback;
  }

  std::vector<std::string> texts(const YamlNode& node, std::string_view key) {
    std::vector<std::string> found;
    const YamlNode* value = node.find(key);
    if (value == nullptr || value->is_null()) return found;
    if (!value->is_sequence()) fail(value->position, std::string(key) + " must be a list");
    for (const YamlNodePtr& item : value->items) {
      if (!item->is_scalar()) fail(item->position, "an element of " + std::string(key) + " must be a text");
      found.push_back(item->text);
    }
    return found;
  }

  template <class T, std::size_t N>
  T choice(const Named<T> (&table)[N], const std::string& word, ConfigPosition at, const std::string& what) {
    for (const Named<T>& entry : table) {
      if (entry.name == word) return entry.value;
    }
    std::vector<std::string_view> names;
    for (const Named<T>& entry : table) names.push_back(entry.name);
    fail(at, "unknown " + what + ": " + word + suggestion(word, names));
    return T();
  }

  /// The PEM text of `key`, or of the file that `key`_file names.
  std::string pem(const YamlNode& node, const std::string& key) {
    std::string inline_text = text(node, key);
    const std::string name = text(node, key + "_file");
    if (name.empty()) return inline_text;
    const ConfigPosition at = node.find(key + "_file")->position;
    if (!inline_text.empty()) fail(at, "at most one of " + key + " and " + key + "_file may be given");
    const std::filesystem::path file = folder_ / name;
    files_.push_back(file);
    auto content = read_config_file(file);
    if (content.ok()) return std::move(*content);
    fail(at, content.error().message);
    return "";
  }

  void read_tls(const YamlNode& node) {
    if (!mapping(node, "tls_server_config", kTlsKeys)) return;
    TlsServerConfig& tls = config_.tls;
    tls.certificate = pem(node, "cert");
    tls.key = pem(node, "key");
    tls.client_ca = pem(node, "client_ca");
    const std::string client_auth = text(node, "client_auth_type");
    config_.tls_enabled =
        !tls.certificate.empty() || !tls.key.empty() || !tls.client_ca.empty() || !client_auth.empty();
    const ConfigPosition at = node.position;
    if (!config_.tls_enabled) {
      if (!node.is_empty()) fail(at, "tls_server_config has neither cert_file nor key_file");
      return;
    }
    if (tls.certificate.empty()) fail(at, "missing one of cert or cert_file");
    if (tls.key.empty()) fail(at, "missing one of key or key_file");
    read_tls_choices(node);

    tls.client_auth = choice(kClientAuths, client_auth, at, "client_auth_type");
    const bool verifies =
        tls.client_auth == ClientAuth::verify_if_given || tls.client_auth == ClientAuth::require_and_verify;
    if (!tls.client_ca.empty() && tls.client_auth == ClientAuth::none) {
      fail(at, "client CA's have been configured without a Client Auth Policy");
    }
    if (verifies && tls.client_ca.empty()) {
      fail(at, client_auth + " needs client_ca_file: else every certificate of a public authority would do");
    }
    tls.client_allowed_sans = texts(node, "client_allowed_sans");
    if (!tls.client_allowed_sans.empty() && tls.client_auth != ClientAuth::require_any &&
        tls.client_auth != ClientAuth::require_and_verify) {
      fail(at,
           "client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or "
           "RequireAndVerifyClientCert");
    }
  }

  void read_tls_choices(const YamlNode& node) {
    TlsServerConfig& tls = config_.tls;
    for (const auto& [key, version] :
         {std::pair("min_version", &tls.min_version), std::pair("max_version", &tls.max_version)}) {
      const std::string name = text(node, key);
      if (name.empty()) continue;
      const ConfigPosition at = node.find(key)->position;
      if (name == "TLS10" || name == "TLS11") {
        fail(at, name + " is broken and not offered; the oldest version is TLS12");
      } else {
        *version = choice(kVersions, name, at, "TLS version");
      }
    }
    if (tls.min_version > tls.max_version) fail(node.position, "min_version is above max_version");
    for (const std::string& name : texts(node, "cipher_suites")) {
      const std::string_view cipher = choice(kCiphers, name, node.find("cipher_suites")->position, "cipher");
      if (!cipher.empty()) tls.cipher_suites.emplace_back(cipher);
    }
    for (const std::string& name : texts(node, "curve_preferences")) {
      tls.curve_preferences.emplace_back(choice(kCurves, name, node.find("curve_preferences")->position, "curve"));
    }
    tls.prefer_server_cipher_suites = boolean(node, "prefer_server_cipher_suites", true);
  }

  void read_http(const YamlNode& node) {
    if (!mapping(node, "http_server_config", kHttpKeys)) return;
    boolean(node, "http2", true);
    const YamlNode* headers = node.find("headers");
    if (headers == nullptr || !mapping(*headers, "headers", kHeaders)) return;
    for (const auto& [key, value] : headers->entries) {
      const std::string content = text(*headers, key->text);
      if (content.empty()) continue;
      const bool printable = std::all_of(content.begin(), content.end(), [](char c) { return c >= ' ' && c < 0x7f; });
      const bool allowed = key->text == "X-Frame-Options"          ? content == "deny" || content == "sameorigin"
                           : key->text == "X-Content-Type-Options" ? content == "nosniff"
                                                                   : printable;
      if (!allowed) fail(value->position, "invalid value for " + key->text + ": " + content);
      config_.headers.emplace_back(key->text, content);
    }
  }

  void read_users(const YamlNode& node) {
    if (!node.is_null() && !node.is_mapping()) fail(node.position, "basic_auth_users must map names to hashes");
    for (const auto& [key, value] : node.entries) {
      if (!value->is_scalar() || !is_bcrypt_hash(value->text)) {
        fail(value->position, "the password of user \"" + key->text +
                                  "\" is no bcrypt hash such as $2y$10$...; make one with: htpasswd -nBC 10 NAME");
      }
      config_.users.emplace(key->text, value->text);
    }
    if (node.is_mapping() && config_.users.empty()) {
      fail(node.position, "basic_auth_users names nobody; leave it out to let everybody in");
    }
  }

  void read_rate_limit(const YamlNode& node) {
    if (!mapping(node, "rate_limit", kRateKeys)) return;
    const std::string interval = text(node, "interval");
    const std::string burst = text(node, "burst");
    if (!interval.empty()) {
      const auto duration = parse_duration(interval);
      if (!duration.ok()) return fail(node.find("interval")->position, duration.error().message);
      config_.rate_interval = *duration;
    }
    if (!burst.empty()) {
      const char* end = burst.data() + burst.size();
      const auto [stop, error] = std::from_chars(burst.data(), end, config_.rate_burst);
      if (stop != end || error != std::errc()) fail(node.find("burst")->position, "burst must be a whole number");
    }
    if (config_.rate_interval > 0 && config_.rate_burst == 0) {
      fail(node.position, "a rate_limit with an interval needs a burst of 1 at least, or nothing is answered");
    }
  }

  const std::string path_;
  const std::filesystem::path folder_;
  std::vector<std::string>& files_;
  WebConfig config_;
  Status status_;
};

}  // namespace

Result<WebConfig> load_web_config(const std::string& path, std::vector<std::string>& files) {
  files.assign(1, path);
  const auto text = read_config_file(path);
  if (!text.ok()) return text.error();
  const auto root = parse_yaml(*text, path);
  if (!root.ok()) return root.error();
  return WebConfigReader(path, files).read(**root);
}

}  // namespace pipit
