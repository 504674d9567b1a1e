#pragma once

#include <optional>

#include "config/schema.h"

namespace pipit {

// The rules of service discovery that tables can't say: what must be there, and what excludes what.

std::optional<Error> check_file_sd(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_dns_sd(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_http_sd(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_azure(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_consul(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_filter(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_docker(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_dockerswarm(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_eureka(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_gce(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_hetzner(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_ionos(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_kuma(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_marathon(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_zookeeper(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_openstack(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_outscale(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_ovhcloud(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_puppetdb(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_scaleway(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_stackit(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_triton(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_uyuni(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_kubernetes(const YamlNode& node, SchemaChecker& checker);
std::optional<Error> check_static_labels(const YamlNode& node, SchemaChecker& checker);

}  // namespace pipit
