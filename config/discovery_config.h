#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/http_client_config.h"
#include "model/labels.h"
#include "model/sample.h"

namespace pipit {

/// Addresses that share labels: a `static_configs` entry, or what discovery has found.
struct TargetGroup {
  std::vector<std::string> targets;
  Labels labels;
  bool operator==(const TargetGroup&) const = default;
};

/// A `file_sd_configs` entry.
struct FileDiscoveryConfig {
  std::vector<std::string> files;  ///< `*` may stand in the last part of a path
  DurationMs refresh_interval = 300'000;
  bool operator==(const FileDiscoveryConfig&) const = default;
};

/// An `http_sd_configs` entry.
struct HttpDiscoveryConfig {
  std::string url;
  DurationMs refresh_interval = 60'000;
  HttpClientConfig http_client;
  bool operator==(const HttpDiscoveryConfig&) const = default;
};

enum class DnsRecordType { a, aaaa, srv, mx, ns };

/// A `dns_sd_configs` entry.
struct DnsDiscoveryConfig {
  std::vector<std::string> names;
  DnsRecordType type = DnsRecordType::srv;
  int port = 0;  ///< of all types but SRV
  DurationMs refresh_interval = 30'000;
  bool operator==(const DnsDiscoveryConfig&) const = default;
};

/// A `docker_sd_configs` entry.
struct DockerDiscoveryConfig {
  std::string host;  ///< unix:///path, tcp://, http:// or https://host:port
  int port = 80;     ///< of containers that expose none
  std::vector<std::pair<std::string, std::vector<std::string>>> filters;
  std::string host_networking_host = "localhost";
  bool match_first_network = true;
  DurationMs refresh_interval = 60'000;
  HttpClientConfig http_client;
  bool operator==(const DockerDiscoveryConfig&) const = default;
};

using DiscoveryConfig =
    std::variant<FileDiscoveryConfig, HttpDiscoveryConfig, DnsDiscoveryConfig, DockerDiscoveryConfig>;

/// The `*_sd_configs` of a section that `kDiscoverySection` has found right, in file order. Paths are joined with the
/// folder of the configuration file.
std::vector<DiscoveryConfig> build_discovery_configs(const YamlNode& node, const SchemaChecker& checker);

}  // namespace pipit
