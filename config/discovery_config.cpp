// Source of defaults: Prometheus, discovery/{file,http,dns,moby}.

#include "config/discovery_config.h"

#include <cctype>

#include "config/schema.h"
#include "config/scrape_config.h"

namespace pipit {
namespace {

int port_or(const YamlNode& node, int fallback) {
  const YamlNode* value = node.find("port");
  return value == nullptr ? fallback : static_cast<int>(yaml_integer(*value).value_or(fallback));
}

DiscoveryConfig build_file(const YamlNode& node, const SchemaChecker& checker) {
  FileDiscoveryConfig config;
  for (const YamlNodePtr& path : node.find("files")->items) config.files.push_back(checker.path_of(path->text));
  config.refresh_interval = duration_or(node, "refresh_interval", config.refresh_interval);
  return config;
}

DiscoveryConfig build_http(const YamlNode& node, const SchemaChecker& checker) {
  HttpDiscoveryConfig config;
  config.url = node.text_of("url");
  config.refresh_interval = duration_or(node, "refresh_interval", config.refresh_interval);
  config.http_client = build_http_client_config(node, checker);
  return config;
}

DiscoveryConfig build_dns(const YamlNode& node, const SchemaChecker&) {
  DnsDiscoveryConfig config;
  for (const YamlNodePtr& name : node.find("names")->items) config.names.push_back(name->text);
  std::string type(node.text_of("type"));
  for (char& c : type) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (type == "A") config.type = DnsRecordType::a;
  if (type == "AAAA") config.type = DnsRecordType::aaaa;
  if (type == "MX") config.type = DnsRecordType::mx;
  if (type == "NS") config.type = DnsRecordType::ns;
  config.port = port_or(node, config.port);
  config.refresh_interval = duration_or(node, "refresh_interval", config.refresh_interval);
  return config;
}

DiscoveryConfig build_docker(const YamlNode& node, const SchemaChecker& checker) {
  DockerDiscoveryConfig config;
  config.host = node.text_of("host");
  config.port = port_or(node, config.port);
  if (const YamlNode* filters = node.find("filters")) {
    for (const YamlNodePtr& filter : filters->items) {
      auto& [name, values] = config.filters.emplace_back();
      name = filter->text_of("name");
      if (const YamlNode* list = filter->find("values")) {
        for (const YamlNodePtr& value : list->items) values.push_back(value->text);
      }
    }
  }
  if (node.find("host_networking_host") != nullptr) config.host_networking_host = node.text_of("host_networking_host");
  if (const YamlNode* match = node.find("match_first_network")) {
    config.match_first_network = yaml_boolean(*match).value_or(true);
  }
  config.refresh_interval = duration_or(node, "refresh_interval", config.refresh_interval);
  config.http_client = build_http_client_config(node, checker);
  return config;
}

}  // namespace

std::vector<DiscoveryConfig> build_discovery_configs(const YamlNode& node, const SchemaChecker& checker) {
  std::vector<DiscoveryConfig> configs;
  for (const auto& [key, list] : node.entries) {
    DiscoveryConfig (*build)(const YamlNode&, const SchemaChecker&) = nullptr;
    if (key->text == "file_sd_configs") build = build_file;
    if (key->text == "http_sd_configs") build = build_http;
    if (key->text == "dns_sd_configs") build = build_dns;
    if (key->text == "docker_sd_configs") build = build_docker;
    if (build == nullptr) continue;
    for (const YamlNodePtr& item : list->items) configs.push_back(build(*item, checker));
  }
  return configs;
}

}  // namespace pipit
