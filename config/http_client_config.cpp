#include "config/http_client_config.h"

#include "config/schema.h"

namespace pipit {
namespace {

bool boolean_or(const YamlNode& node, std::string_view key, bool fallback) {
  const YamlNode* value = node.find(key);
  return value == nullptr ? fallback : yaml_boolean(*value).value_or(fallback);
}

SecretSource read_secret(const YamlNode& node, const std::string& key, const SchemaChecker& checker) {
  return {std::string(node.text_of(key)), checker.path_of(node.text_of(key + "_file"))};
}

std::vector<std::string> read_strings(const YamlNode& node, std::string_view key) {
  std::vector<std::string> out;
  const YamlNode* list = node.find(key);
  if (list == nullptr) return out;
  for (const YamlNodePtr& item : list->items) out.push_back(item->text);
  return out;
}

TlsVersion read_version(std::string_view text) {
  if (text == "TLS10") return TlsVersion::tls10;
  if (text == "TLS11") return TlsVersion::tls11;
  if (text == "TLS12") return TlsVersion::tls12;
  if (text == "TLS13") return TlsVersion::tls13;
  return TlsVersion::unset;
}

TlsConfig read_tls(const YamlNode& owner, const SchemaChecker& checker) {
  const YamlNode* node = owner.find("tls_config");
  return node == nullptr ? TlsConfig() : build_tls_config(*node, checker);
}

ProxyConfig read_proxy(const YamlNode& node) {
  ProxyConfig proxy;
  proxy.url = node.text_of("proxy_url");
  proxy.no_proxy = node.text_of("no_proxy");
  proxy.from_environment = boolean_or(node, "proxy_from_environment", false);
  if (const YamlNode* headers = node.find("proxy_connect_header")) {
    for (const auto& [name, values] : headers->entries) {
      auto& [key, texts] = proxy.connect_headers.emplace_back();
      key = name->text;
      for (const YamlNodePtr& value : values->items) texts.push_back(value->text);
    }
  }
  return proxy;
}

OAuth2Config read_oauth2(const YamlNode& node, const SchemaChecker& checker) {
  OAuth2Config oauth2;
  oauth2.client_id = node.text_of("client_id");
  oauth2.client_secret = read_secret(node, "client_secret", checker);
  oauth2.token_url = node.text_of("token_url");
  oauth2.scopes = read_strings(node, "scopes");
  if (const YamlNode* params = node.find("endpoint_params")) {
    for (const auto& [name, value] : params->entries) oauth2.endpoint_params.emplace_back(name->text, value->text);
  }
  oauth2.tls = read_tls(node, checker);
  oauth2.proxy = read_proxy(node);
  return oauth2;
}

std::vector<HttpHeader> read_headers(const YamlNode& node, const SchemaChecker& checker) {
  std::vector<HttpHeader> headers;
  const YamlNode* map = node.find("http_headers");
  if (map == nullptr) return headers;
  for (const auto& [name, value] : map->entries) {
    HttpHeader& header = headers.emplace_back();
    header.name = name->text;
    header.values = read_strings(*value, "values");
    for (std::string& secret : read_strings(*value, "secrets")) header.values.push_back(std::move(secret));
    for (const std::string& file : read_strings(*value, "files")) header.files.push_back(checker.path_of(file));
  }
  return headers;
}

std::optional<Authorization> read_authorization(const YamlNode& node, const SchemaChecker& checker) {
  if (node.has_text("bearer_token") || node.has_text("bearer_token_file")) {
    return Authorization{"Bearer", read_secret(node, "bearer_token", checker)};
  }
  const YamlNode* section = node.find("authorization");
  if (section == nullptr || section->is_null()) return std::nullopt;
  Authorization authorization;
  if (section->has_text("type")) authorization.type = section->text_of("type");
  authorization.credentials = read_secret(*section, "credentials", checker);
  return authorization;
}

void add_tls_files(const TlsConfig& tls, std::vector<std::string>& files) {
  for (const SecretSource* source : {&tls.ca, &tls.certificate, &tls.key}) {
    if (!source->file.empty()) files.push_back(source->file);
  }
}

}  // namespace

TlsConfig build_tls_config(const YamlNode& node, const SchemaChecker& checker) {
  TlsConfig tls;
  tls.ca = read_secret(node, "ca", checker);
  tls.certificate = read_secret(node, "cert", checker);
  tls.key = read_secret(node, "key", checker);
  tls.server_name = node.text_of("server_name");
  tls.insecure_skip_verify = boolean_or(node, "insecure_skip_verify", false);
  tls.min_version = read_version(node.text_of("min_version"));
  tls.max_version = read_version(node.text_of("max_version"));
  return tls;
}

HttpClientConfig build_http_client_config(const YamlNode& node, const SchemaChecker& checker) {
  HttpClientConfig config;
  if (const YamlNode* basic = node.find("basic_auth"); basic != nullptr && !basic->is_null()) {
    config.basic_auth = BasicAuth{read_secret(*basic, "username", checker), read_secret(*basic, "password", checker)};
  }
  config.authorization = read_authorization(node, checker);
  if (const YamlNode* oauth2 = node.find("oauth2"); oauth2 != nullptr && !oauth2->is_null()) {
    config.oauth2 = read_oauth2(*oauth2, checker);
  }
  config.tls = read_tls(node, checker);
  config.proxy = read_proxy(node);
  config.follow_redirects = boolean_or(node, "follow_redirects", true);
  config.headers = read_headers(node, checker);
  return config;
}

std::vector<std::string> named_files(const HttpClientConfig& config) {
  std::vector<std::string> files;
  const auto add = [&files](const SecretSource& source) {
    if (!source.file.empty()) files.push_back(source.file);
  };
  if (config.basic_auth) {
    add(config.basic_auth->username);
    add(config.basic_auth->password);
  }
  if (config.authorization) add(config.authorization->credentials);
  if (config.oauth2) {
    add(config.oauth2->client_secret);
    add_tls_files(config.oauth2->tls, files);
  }
  add_tls_files(config.tls, files);
  for (const HttpHeader& header : config.headers) files.insert(files.end(), header.files.begin(), header.files.end());
  return files;
}

}  // namespace pipit
