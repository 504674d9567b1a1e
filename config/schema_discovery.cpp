// The keys of service discovery. What Pipit does not discover yet is checked all the same, so that a file that
// loads here loads in Prometheus, and a mistake in it shows now.
// Source of keys, rules and wordings: Prometheus, discovery/*.

#include <algorithm>
#include <cctype>
#include <set>

#include "config/schema.h"

namespace pipit {
namespace {

using enum FieldType;
using Failure = std::optional<Error>;

constexpr const Section* kWithHttpClient[] = {&kHttpClientSection};
constexpr std::string_view kNotDiscovered = "is not supported yet: its targets are not discovered and not scraped";

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

Failure check_file_sd(const YamlNode& node, SchemaChecker& checker) {
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

Failure check_dns_sd(const YamlNode& node, SchemaChecker& checker) {
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

Failure check_http_sd(const YamlNode& node, SchemaChecker& checker) { return check_http_url(node, checker, "url"); }

Failure check_azure(const YamlNode& node, SchemaChecker& checker) {
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

Failure check_consul(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require_unless_absent(node, checker, "server", "consul SD configuration requires a server address")) {
    return e;
  }
  if (node.has_text("token") && (node.has("authorization") || node.has("oauth2"))) {
    return checker.fail(node, "at most one of consul_sd token, authorization & oauth2 must be configured");
  }
  return std::nullopt;
}

Failure check_filter(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* values = node.find("values");
  if (values == nullptr || values->is_empty()) {
    return checker.fail(at_key(node, "values"), "EC2 SD configuration filter values cannot be empty");
  }
  return std::nullopt;
}

Failure check_docker(const YamlNode& node, SchemaChecker& checker) {
  return require(node, checker, "host", "host missing");
}

Failure check_dockerswarm(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "host", "host missing")) return e;
  return require(node, checker, "role", "role missing (one of: tasks, services, nodes)");
}

Failure check_eureka(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "server", "eureka_sd: empty or null eureka server")) return e;
  if (url_scheme(node.text_of("server")).empty() || url_host(node.text_of("server")).empty()) {
    return checker.fail(at_key(node, "server"), "eureka_sd: invalid eureka server URL");
  }
  return std::nullopt;
}

Failure check_gce(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "project", "GCE SD configuration requires a project")) return e;
  return require(node, checker, "zone", "GCE SD configuration requires a zone");
}

Failure check_hetzner(const YamlNode& node, SchemaChecker& checker) {
  return require(node, checker, "role", "role missing (one of: robot, hcloud)");
}

Failure check_ionos(const YamlNode& node, SchemaChecker& checker) {
  return require(node, checker, "datacenter_id", "datacenter id can't be empty");
}

Failure check_kuma(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "server", "kuma SD server must not be empty")) return e;
  return check_http_url(node, checker, "server");
}

Failure check_marathon(const YamlNode& node, SchemaChecker& checker) {
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

Failure check_zookeeper(const YamlNode& node, SchemaChecker& checker) {
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

Failure check_openstack(const YamlNode& node, SchemaChecker& checker) {
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

Failure check_outscale(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require_unless_absent(node, checker, "region", "outscale SD configuration requires a region")) return e;
  if (node.has_text("secret_key") && node.has_text("secret_key_file")) {
    return checker.fail(node, "at most one of secret_key & secret_key_file must be configured");
  }
  if (!node.has_text("access_key") || (!node.has_text("secret_key") && !node.has_text("secret_key_file"))) {
    return checker.fail(node, "outscale SD configuration requires access_key and secret_key");
  }
  return std::nullopt;
}

Failure check_ovhcloud(const YamlNode& node, SchemaChecker& checker) {
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

Failure check_puppetdb(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = check_http_url(node, checker, "url")) return e;
  return require(node, checker, "query", "query missing");
}

Failure check_scaleway(const YamlNode& node, SchemaChecker& checker) {
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

Failure check_stackit(const YamlNode& node, SchemaChecker& checker) {
  if (!is_url_reference(node.text_of("endpoint"))) {
    return checker.fail(at_key(node, "endpoint"), "invalid endpoint " + quote(node.text_of("endpoint")));
  }
  return std::nullopt;
}

Failure check_triton(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "account", "triton SD configuration requires an account")) return e;
  if (auto e = require(node, checker, "dns_suffix", "triton SD configuration requires a dns_suffix")) return e;
  return require(node, checker, "endpoint", "triton SD configuration requires an endpoint");
}

Failure check_uyuni(const YamlNode& node, SchemaChecker& checker) {
  if (auto e = require(node, checker, "server", "Uyuni SD configuration requires server host")) return e;
  if (auto e = require(node, checker, "username", "Uyuni SD configuration requires a username")) return e;
  return require(node, checker, "password", "Uyuni SD configuration requires a password");
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

Failure check_kubernetes(const YamlNode& node, SchemaChecker& checker) {
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

constexpr Field kFilterFields[] = {{"name"}, {"values", string_list}};
constexpr Section kFilterSection{"filters", kFilterFields};
constexpr Section kAwsFilterSection{"filters", kFilterFields, {}, check_filter};

constexpr Field kAzureFields[] = {
    {"environment"},   {"authentication_method"}, {"subscription_id"}, {"tenant_id"},
    {"client_id"},     {"client_secret", secret}, {"resource_group"},  {"refresh_interval", duration},
    {"port", integer},
};
constexpr Section kAzure{"azure_sd_configs", kAzureFields, kWithHttpClient, check_azure};

constexpr Field kConsulFields[] = {
    {"server"},
    {"path_prefix"},
    {"token", secret},
    {"datacenter"},
    {"namespace"},
    {"partition"},
    {"tag_separator"},
    {"scheme"},
    {"username"},
    {"password", secret},
    {"allow_stale", boolean},
    {"refresh_interval", duration},
    {"services", string_list},
    {"tags", string_list},
    {"node_meta", string_map},
    {"filter"},
    {"health_filter"},
};
constexpr Section kConsul{"consul_sd_configs", kConsulFields, kWithHttpClient, check_consul};

constexpr Field kPortAndInterval[] = {{"port", integer}, {"refresh_interval", duration}};
constexpr Section kDigitalOcean{"digitalocean_sd_configs", kPortAndInterval, kWithHttpClient};

constexpr Field kDockerFields[] = {
    {"host"},
    {"port", integer},
    {"filters", section_list, &kFilterSection},
    {"host_networking_host"},
    {"match_first_network", boolean},
    {"refresh_interval", duration},
};
constexpr Section kDocker{"docker_sd_configs", kDockerFields, kWithHttpClient, check_docker};

constexpr Field kDockerSwarmFields[] = {
    {"host"},
    {"role", string, nullptr, "services|tasks|nodes"},
    {"port", integer},
    {"filters", section_list, &kFilterSection},
    {"refresh_interval", duration},
};
constexpr Section kDockerSwarm{"dockerswarm_sd_configs", kDockerSwarmFields, kWithHttpClient, check_dockerswarm};

constexpr Field kDnsFields[] = {
    {"names", string_list},
    {"type"},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kDns{"dns_sd_configs", kDnsFields, {}, check_dns_sd};

constexpr Field kEc2Fields[] = {
    {"region"},        {"endpoint"},
    {"access_key"},    {"secret_key", secret},
    {"profile"},       {"role_arn"},
    {"external_id"},   {"refresh_interval", duration},
    {"port", integer}, {"filters", section_list, &kAwsFilterSection},
};
constexpr Section kEc2{"ec2_sd_configs", kEc2Fields, kWithHttpClient};

constexpr Field kLightsailFields[] = {
    {"region"},        {"endpoint"}, {"access_key"},  {"secret_key", secret},
    {"profile"},       {"role_arn"}, {"external_id"}, {"refresh_interval", duration},
    {"port", integer},
};
constexpr Section kLightsail{"lightsail_sd_configs", kLightsailFields, kWithHttpClient};

constexpr Field kAwsFields[] = {
    {"role", string, nullptr, "ec2|ecs|lightsail|msk|elasticache|rds"},
    {"region"},
    {"endpoint"},
    {"access_key"},
    {"secret_key", secret},
    {"profile"},
    {"role_arn"},
    {"external_id"},
    {"refresh_interval", duration},
    {"port", integer},
    {"filters", section_list, &kAwsFilterSection},
    {"clusters", string_list},
    {"request_concurrency", integer},
};
constexpr Section kAws{"aws_sd_configs", kAwsFields, kWithHttpClient};

constexpr Field kEurekaFields[] = {{"server"}, {"refresh_interval", duration}};
constexpr Section kEureka{"eureka_sd_configs", kEurekaFields, kWithHttpClient, check_eureka};

constexpr Field kFileFields[] = {{"files", string_list}, {"refresh_interval", duration}};
constexpr Section kFile{"file_sd_configs", kFileFields, {}, check_file_sd};

constexpr Field kGceFields[] = {
    {"project"}, {"zone"}, {"filter"}, {"refresh_interval", duration}, {"port", integer}, {"tag_separator"},
};
constexpr Section kGce{"gce_sd_configs", kGceFields, {}, check_gce};

constexpr Field kHetznerFields[] = {
    {"role", string, nullptr, "robot|hcloud"},
    {"port", integer},
    {"refresh_interval", duration},
    {"label_selector"},
};
constexpr Section kHetzner{"hetzner_sd_configs", kHetznerFields, kWithHttpClient, check_hetzner};

constexpr Field kHttpFields[] = {{"url", url}, {"refresh_interval", duration}};
constexpr Section kHttp{"http_sd_configs", kHttpFields, kWithHttpClient, check_http_sd};

constexpr Field kIonosFields[] = {{"datacenter_id"}, {"port", integer}, {"refresh_interval", duration}};
constexpr Section kIonos{"ionos_sd_configs", kIonosFields, kWithHttpClient, check_ionos};

constexpr Field kNamespaceFields[] = {{"own_namespace", boolean}, {"names", string_list}};
constexpr Section kNamespaces{"namespaces", kNamespaceFields};
constexpr std::string_view kKubernetesRoles = "node|pod|service|endpoints|endpointslice|ingress";
constexpr Field kSelectorFields[] = {{"role", string, nullptr, kKubernetesRoles}, {"label"}, {"field"}};
constexpr Section kSelectors{"selectors", kSelectorFields};
constexpr Field kAttachFields[] = {{"node", boolean}, {"namespace", boolean}};
constexpr Section kAttach{"attach_metadata", kAttachFields};
constexpr Field kKubernetesFields[] = {
    {"api_server", url},
    {"role", string, nullptr, kKubernetesRoles},
    {"kubeconfig_file"},
    {"namespaces", section, &kNamespaces},
    {"selectors", section_list, &kSelectors},
    {"attach_metadata", section, &kAttach},
};
constexpr Section kKubernetes{"kubernetes_sd_configs", kKubernetesFields, kWithHttpClient, check_kubernetes};

constexpr Field kKumaFields[] = {
    {"server", url},
    {"client_id"},
    {"refresh_interval", duration},
    {"fetch_timeout", duration},
};
constexpr Section kKuma{"kuma_sd_configs", kKumaFields, kWithHttpClient, check_kuma};

constexpr Field kLinodeFields[] = {
    {"region"},
    {"port", integer},
    {"tag_separator"},
    {"refresh_interval", duration},
};
constexpr Section kLinode{"linode_sd_configs", kLinodeFields, kWithHttpClient};

constexpr Field kMarathonFields[] = {
    {"servers", string_list},
    {"refresh_interval", duration},
    {"auth_token", secret},
    {"auth_token_file"},
};
constexpr Section kMarathon{"marathon_sd_configs", kMarathonFields, kWithHttpClient, check_marathon};

constexpr Field kZookeeperFields[] = {{"servers", string_list}, {"paths", string_list}, {"timeout", duration}};
constexpr Section kNerve{"nerve_sd_configs", kZookeeperFields, {}, check_zookeeper};
constexpr Section kServerset{"serverset_sd_configs", kZookeeperFields, {}, check_zookeeper};

constexpr Field kNomadFields[] = {
    {"server"}, {"allow_stale", boolean}, {"namespace"}, {"region"}, {"tag_separator"}, {"refresh_interval", duration},
};
constexpr Section kNomad{"nomad_sd_configs", kNomadFields, kWithHttpClient};

constexpr Field kOciFields[] = {
    {"region"},
    {"tenancy"},
    {"user"},
    {"fingerprint"},
    {"key_file"},
    {"key_passphrase", secret},
    {"compartments", string_list},
    {"authentication_method"},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kOci{"oci_sd_configs", kOciFields, kWithHttpClient};

constexpr Field kOpenstackFields[] = {
    {"role"},
    {"region"},
    {"identity_endpoint"},
    {"username"},
    {"userid"},
    {"password", secret},
    {"project_name"},
    {"project_id"},
    {"domain_name"},
    {"domain_id"},
    {"application_credential_name"},
    {"application_credential_id"},
    {"application_credential_secret", secret},
    {"all_tenants", boolean},
    {"refresh_interval", duration},
    {"port", integer},
    {"availability"},
    {"tls_config", section, &kTlsSection},
};
constexpr Section kOpenstack{"openstack_sd_configs", kOpenstackFields, {}, check_openstack};

constexpr Field kOutscaleFields[] = {
    {"endpoint"},
    {"region"},
    {"access_key"},
    {"secret_key", secret},
    {"secret_key_file"},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kOutscale{"outscale_sd_configs", kOutscaleFields, kWithHttpClient, check_outscale};

constexpr Field kOvhFields[] = {
    {"endpoint"},
    {"application_key"},
    {"application_secret", secret},
    {"consumer_key", secret},
    {"service"},
    {"refresh_interval", duration},
};
constexpr Section kOvh{"ovhcloud_sd_configs", kOvhFields, {}, check_ovhcloud};

constexpr Field kPuppetFields[] = {
    {"url", url}, {"query"}, {"include_parameters", boolean}, {"port", integer}, {"refresh_interval", duration},
};
constexpr Section kPuppet{"puppetdb_sd_configs", kPuppetFields, kWithHttpClient, check_puppetdb};

constexpr Field kScalewayFields[] = {
    {"role"},
    {"project_id"},
    {"access_key"},
    {"secret_key", secret},
    {"secret_key_file"},
    {"api_url"},
    {"zone"},
    {"name_filter"},
    {"tags_filter", string_list},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kScaleway{"scaleway_sd_configs", kScalewayFields, kWithHttpClient, check_scaleway};

constexpr Field kStackitFields[] = {
    {"endpoint"},
    {"region"},
    {"project"},
    {"service_account_key", secret},
    {"private_key", secret},
    {"service_account_key_path"},
    {"private_key_path"},
    {"credentials_file_path"},
    {"port", integer},
    {"refresh_interval", duration},
};
constexpr Section kStackit{"stackit_sd_configs", kStackitFields, kWithHttpClient, check_stackit};

constexpr Field kTritonFields[] = {
    {"account"},
    {"role", string, nullptr, "container|cn"},
    {"dns_suffix"},
    {"endpoint"},
    {"groups", string_list},
    {"port", integer},
    {"refresh_interval", duration},
    {"version", integer},
    {"tls_config", section, &kTlsSection},
};
constexpr Section kTriton{"triton_sd_configs", kTritonFields, {}, check_triton};

constexpr Field kUyuniFields[] = {
    {"server", url}, {"username"}, {"password", secret}, {"entitlement"}, {"separator"}, {"refresh_interval", duration},
};
constexpr Section kUyuni{"uyuni_sd_configs", kUyuniFields, kWithHttpClient, check_uyuni};

constexpr Section kVultr{"vultr_sd_configs", kPortAndInterval, kWithHttpClient};

constexpr Field kStaticFields[] = {{"targets", string_list}, {"labels", string_map}};

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

constexpr Section kStatic{
    "static_configs", kStaticFields, {}, check_static_labels, "empty or null section in static_configs"};

/// A list of one kind of discovery, under its name.
constexpr Field discovery(const Section& kind) { return {kind.name, section_list, &kind, "", kNotDiscovered}; }

constexpr Field kDiscoveryFields[] = {
    {"static_configs", section_list, &kStatic},
    discovery(kAws),
    discovery(kAzure),
    discovery(kConsul),
    discovery(kDigitalOcean),
    discovery(kDocker),
    discovery(kDockerSwarm),
    discovery(kDns),
    discovery(kEc2),
    discovery(kEureka),
    discovery(kFile),
    discovery(kGce),
    discovery(kHetzner),
    discovery(kHttp),
    discovery(kIonos),
    discovery(kKubernetes),
    discovery(kKuma),
    discovery(kLightsail),
    discovery(kLinode),
    discovery(kMarathon),
    discovery(kNerve),
    discovery(kNomad),
    discovery(kOci),
    discovery(kOpenstack),
    discovery(kOutscale),
    discovery(kOvh),
    discovery(kPuppet),
    discovery(kScaleway),
    discovery(kServerset),
    discovery(kStackit),
    discovery(kTriton),
    discovery(kUyuni),
    discovery(kVultr),
};

}  // namespace

constinit const Section kDiscoverySection{"service discovery", kDiscoveryFields};

}  // namespace pipit
