// Source of rules and wordings: Prometheus, discovery/*.

#include "config/discovery_rules.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "model/labels.h"

namespace pipit {
namespace {

using Failure = std::optional<Error>;

/// The position of a key's value when it is there, of the section else.
const YamlNode& at_key(const YamlNode& node, std::string_view key) {
  const YamlNode* value = node.find(key);
  return value == nullptr ? node : *value;
}

Failure require(const YamlNode& node, SchemaChecker& checker, std::string_view key, const char* message) {
  if (node.has_text(key)) return std::nullopt;
  return checker.fail(at_key(node, key), message);
}

/// The key is absent, and so has its default, or it has a text.
Failure require_unless_absent(const YamlNode& node, SchemaChecker& checker, std::string_view key, const char* message) {
  if (node.find(key) == nullptr || node.has_text(key)) return std::nullopt;
  return checker.fail(at_key(node, key), message);
}

Failure check_http_url(const YamlNode& node, SchemaChecker& checker, std::string_view key) {
  const YamlNode& at = at_key(node, key);
  const std::string_view address = node.text_of(key);
  if (address.empty()) return checker.fail(at, "URL is missing");
  if (url_scheme(address) != "http" && url_scheme(address) != "https") {
    return checker.fail(at, "URL scheme must be 'http' or 'https'");
  }
  if (url_host(address).empty()) return checker.fail(at, "host is missing in URL");
  return std::nullopt;
}

/// A glob in the last part of the path only, and that part ends in .json, .yml or .yaml.
bool is_file_pattern(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(path.substr(dot));
  if (extension != ".json" && extension != ".yml" && extension != ".yaml" && extension != ".JSON" &&
      extension != ".YML" && extension != ".YAML") {
    return false;
  }
  const std::size_t star = path.find('*');
  return star == std::string_view::npos || path.find('/', star) == std::string_view::npos;
}

/// A label or field selector of Kubernetes: comma-separated `a=b`, `a==b`, `a!=b`; of labels also `a`, `!a`, `a in
/// (..)`.
bool is_field_selector(std::string_view text) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (text.substr(0, comma).find('=') == std::string_view::npos) return false;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return true;
}

Failure check_selectors(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* selectors = node.find("selectors");
  if (selectors == nullptr) return std::nullopt;
  const std::string role(node.text_of("role"));
  std::vector<std::string_view> allowed = {role};
  if (role == "endpoints") allowed = {"pod", "service", "endpoints"};
  if (role == "endpointslice") allowed = {"pod", "service", "endpointslice"};
  if (role == "pod") allowed = {"pod", "node"};
  std::set<std::string_view> seen;
  for (const YamlNodePtr& selector : selectors->items) {
    const std::string_view of = selector->text_of("role");
    if (!seen.insert(of).second) return checker.fail(*selector, "duplicated selector role: " + std::string(of));
    const bool fits = std::find(allowed.begin(), allowed.end(), of) != allowed.end();
    // Node selectors of the role pod need node metadata to be attached, or else change nothing.
    if (!fits) {
      std::string names;
      for (const std::string_view name : allowed) names += (names.empty() ? "" : ", ") + std::string(name);
      if (role == "pod") names = "pod";
      return checker.fail(*selector, role + " role supports only " + names + " selectors");
    }
    const std::string_view field = selector->text_of("field");
    if (!is_field_selector(field)) {
      return checker.fail(
          *selector, "invalid selector: '" + std::string(field) + "'; can't understand '" + std::string(field) + "'");
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Error> check_file_sd(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* files = node.find("files");
  if (files == nullptr || files->is_empty()) {
    return checker.fail(at_key(node, "files"), "file service discovery config must contain at least one path name");
  }
  for (const YamlNodePtr& path : files->items) {
    if (!is_file_pattern(path->text)) {
      return checker.fail(*path, "path name " + quote(path->text) + " is not valid for file discovery");
    }
  }
  return std::nullopt;
}

std::optional<Error> check_dns_sd(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* names = node.find("names");
  if (names == nullptr || names->is_empty()) {
    return checker.fail(at_key(node, "names"), "DNS-SD config must contain at least one SRV record name");
  }
  std::string type(node.text_of("type"));
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::toupper(c); });
  if (type.empty() || type == "SRV") return std::nullopt;
  if (type != "A" && type != "AAAA" && type != "MX" && type != "NS") {
    return checker.fail(at_key(node, "type"), "invalid DNS-SD records type " + type);
  }
  if (!node.has("port")) {
    return checker.fail(node, "a port is required in DNS-SD configs for all record types except SRV");
  }
  return std::nullopt;
}

std::optional<Error> check_http_sd(const YamlNode& node, SchemaChecker& checker) {
  return check_http_url(node, checker, "url");
}

std::optional<Error> check_azure(const YamlNode& node, SchemaChecker& checker) {
  const std::string_view method = node.text_of("authentication_method");
  if (!method.empty() && method != "OAuth" && method != "ManagedIdentity" && method != "SDK") {
    return checker.fail(at_key(node, "authentication_method"),
                        "unknown authentication_type " + quote(method) +
                            ". Supported types are \"OAuth\", \"ManagedIdentity\" or \"SDK\"");
  }
  if (auto e = require(node, checker, "subscription_id", "azure SD configuration requires a subscription_id")) return e;
  if (!method.empty() && method != "OAuth") return std::nullopt;
  if (auto e = require(node, checker, "tenant_id", "azure SD configuration requires a tenant_id")) return e;
  if (auto e = require(node, checker, "client_id", "azure SD configuration requires a client_id")) return e;
  return require(node, checker, "client_secret", "azure SD configuration requires a client_secret");
}

std::optional<Error> check_consul(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require_unless_absent(node, checker, "server", "consul SD configuration requires a server address")) {
    return e;
  }
  if (node.has_text("token") && (node.has("authorization") || node.has("oauth2"))) {
    return checker.fail(node, "at most one of consul_sd token, authorization & oauth2 must be configured");
  }
  return std::nullopt;
}

std::optional<Error> check_filter(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* values = node.find("values");
  if (values == nullptr || values->is_empty()) {
    return checker.fail(at_key(node, "values"), "EC2 SD configuration filter values cannot be empty");
  }
  return std::nullopt;
}

std::optional<Error> check_docker(const YamlNode& node, SchemaChecker& checker) {
  return require(node, checker, "host", "host missing");
}

std::optional<Error> check_dockerswarm(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "host", "host missing")) return e;
  return require(node, checker, "role", "role missing (one of: tasks, services, nodes)");
}

std::optional<Error> check_eureka(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "server", "eureka_sd: empty or null eureka server")) return e;
  if (url_scheme(node.text_of("server")).empty() || url_host(node.text_of("server")).empty()) {
    return checker.fail(at_key(node, "server"), "eureka_sd: invalid eureka server URL");
  }
  return std::nullopt;
}

std::optional<Error> check_gce(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "project", "GCE SD configuration requires a project")) return e;
  return require(node, checker, "zone", "GCE SD configuration requires a zone");
}

std::optional<Error> check_hetzner(const YamlNode& node, SchemaChecker& checker) {
  return require(node, checker, "role", "role missing (one of: robot, hcloud)");
}

std::optional<Error> check_ionos(const YamlNode& node, SchemaChecker& checker) {
  return require(node, checker, "datacenter_id", "datacenter id can't be empty");
}

std::optional<Error> check_kuma(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "server", "kuma SD server must not be empty")) return e;
  return check_http_url(node, checker, "server");
}

std::optional<Error> check_marathon(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* servers = node.find("servers");
  if (servers == nullptr || servers->is_empty()) {
    return checker.fail(at_key(node, "servers"), "marathon_sd: must contain at least one Marathon server");
  }
  if (node.has_text("auth_token") && node.has_text("auth_token_file")) {
    return checker.fail(node, "marathon_sd: at most one of auth_token & auth_token_file must be configured");
  }
  if (!node.has_text("auth_token") && !node.has_text("auth_token_file")) return std::nullopt;
  if (node.has("basic_auth")) {
    return checker.fail(node,
                        "marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured");
  }
  if (node.has_text("bearer_token") || node.has_text("bearer_token_file")) {
    return checker.fail(node,
                        "marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & auth_token_file "
                        "must be configured");
  }
  if (node.has("authorization")) {
    return checker.fail(node,
                        "marathon_sd: at most one of auth_token, auth_token_file & authorization must be configured");
  }
  return std::nullopt;
}

std::optional<Error> check_zookeeper(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* servers = node.find("servers");
  if (servers == nullptr || servers->is_empty()) {
    return checker.fail(node, "the configuration must contain at least one Zookeeper server");
  }
  const YamlNode* paths = node.find("paths");
  if (paths == nullptr || paths->is_empty())
    return checker.fail(node, "the configuration must contain at least one path");
  for (const YamlNodePtr& path : paths->items) {
    if (!path->text.starts_with('/')) return checker.fail(*path, "paths must begin with '/': " + quote(path->text));
  }
  return std::nullopt;
}

std::optional<Error> check_openstack(const YamlNode& node, SchemaChecker& checker) {
  const std::string_view availability = node.text_of("availability");
  if (!availability.empty() && availability != "admin" && availability != "internal" && availability != "public") {
    return checker.fail(at_key(node, "availability"), "unknown availability " + std::string(availability) +
                                                          ", must be one of admin, internal or public");
  }
  const std::string_view role = node.text_of("role");
  if (role.empty()) return checker.fail(node, "role missing (one of: instance, hypervisor, loadbalancer)");
  if (role != "instance" && role != "hypervisor" && role != "loadbalancer") {
    return checker.fail(at_key(node, "role"), "unknown OpenStack SD role " + quote(role));
  }
  return require(node, checker, "region", "openstack SD configuration requires a region");
}

std::optional<Error> check_outscale(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require_unless_absent(node, checker, "region", "outscale SD configuration requires a region")) return e;
  if (node.has_text("secret_key") && node.has_text("secret_key_file")) {
    return checker.fail(node, "at most one of secret_key & secret_key_file must be configured");
  }
  if (!node.has_text("access_key") || (!node.has_text("secret_key") && !node.has_text("secret_key_file"))) {
    return checker.fail(node, "outscale SD configuration requires access_key and secret_key");
  }
  return std::nullopt;
}

std::optional<Error> check_ovhcloud(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require_unless_absent(node, checker, "endpoint", "endpoint can not be empty")) return e;
  if (auto e = require(node, checker, "application_key", "application key can not be empty")) return e;
  if (auto e = require(node, checker, "application_secret", "application secret can not be empty")) return e;
  if (auto e = require(node, checker, "consumer_key", "consumer key can not be empty")) return e;
  const std::string_view service = node.text_of("service");
  if (service != "vps" && service != "dedicated_server") {
    return checker.fail(at_key(node, "service"), "unknown service: " + std::string(service));
  }
  return std::nullopt;
}

std::optional<Error> check_puppetdb(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = check_http_url(node, checker, "url")) return e;
  return require(node, checker, "query", "query missing");
}

std::optional<Error> check_scaleway(const YamlNode& node, SchemaChecker& checker) {
  const std::string_view role = node.text_of("role");
  if (role != "instance" && role != "baremetal") {
    return checker.fail(at_key(node, "role"), "unknown role " + quote(role));
  }
  if (auto e = require(node, checker, "project_id", "project_id is mandatory")) return e;
  if (!node.has_text("secret_key") && !node.has_text("secret_key_file")) {
    return checker.fail(node, "one of secret_key & secret_key_file must be configured");
  }
  if (node.has_text("secret_key") && node.has_text("secret_key_file")) {
    return checker.fail(node, "at most one of secret_key & secret_key_file must be configured");
  }
  return require(node, checker, "access_key", "access_key is mandatory");
}

std::optional<Error> check_stackit(const YamlNode& node, SchemaChecker& checker) {
  if (!is_url_reference(node.text_of("endpoint"))) {
    return checker.fail(at_key(node, "endpoint"), "invalid endpoint " + quote(node.text_of("endpoint")));
  }
  return std::nullopt;
}

std::optional<Error> check_triton(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "account", "triton SD configuration requires an account")) return e;
  if (auto e = require(node, checker, "dns_suffix", "triton SD configuration requires a dns_suffix")) return e;
  return require(node, checker, "endpoint", "triton SD configuration requires an endpoint");
}

std::optional<Error> check_uyuni(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "server", "Uyuni SD configuration requires server host")) return e;
  if (auto e = require(node, checker, "username", "Uyuni SD configuration requires a username")) return e;
  return require(node, checker, "password", "Uyuni SD configuration requires a password");
}

std::optional<Error> check_kubernetes(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "role",
                       "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)")) {
    return e;
  }
  const bool own_client = node.has("basic_auth") || node.has("authorization") || node.has("oauth2") ||
                          node.has_text("bearer_token") || node.has_text("bearer_token_file") ||
                          node.has("tls_config") || node.has_text("proxy_url");
  const bool kubeconfig = node.has_text("kubeconfig_file"), server = node.has_text("api_server");
  if (server && kubeconfig) return checker.fail(node, "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  if (kubeconfig && own_client) {
    return checker.fail(node, "cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
  }
  if (!server && own_client) {
    return checker.fail(node, "to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
  }
  const YamlNode* namespaces = node.find("namespaces");
  const YamlNode* own = namespaces == nullptr ? nullptr : namespaces->find("own_namespace");
  if (own != nullptr && yaml_boolean(*own).value_or(false)) {
    if (server) return checker.fail(*own, "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
    if (kubeconfig) {
      return checker.fail(*own, "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
    }
  }
  return check_selectors(node, checker);
}

std::optional<Error> check_static_labels(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* labels = node.find("labels");
  if (labels == nullptr) return std::nullopt;
  for (const auto& [name, value] : labels->entries) {
    if (name->text.empty() || !is_valid_utf8(name->text)) {
      return checker.fail(*name, quote(name->text) + " is not a valid label name");
    }
    if (!is_valid_utf8(value->text)) return checker.fail(*value, quote(value->text) + " is not a valid label value");
  }
  return std::nullopt;
}

}  // namespace pipit
