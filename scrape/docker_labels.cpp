#include "scrape/docker_labels.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "config/json_depth.h"

namespace pipit {
namespace {

using nlohmann::json;

constexpr const char* kMeta = "__meta_docker_";
/// The engine's answers have six.
constexpr int kMostLevels = 32;
/// Of containers that share another's network, one behind the other.
constexpr int kMostHops = 16;
/// Of all targets' labels. Each port of a container has all of its labels, and who starts it chooses both.
constexpr std::size_t kMostLabelBytes = 256u << 20;

/// A member of an object, or null.
const json& member(const json& object, const char* key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

std::string text(const json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

std::string boolean(const json& value) { return value.is_boolean() && value.get<bool>() ? "true" : "false"; }

std::uint64_t number(const json& value) { return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0; }

/// What is not a letter, digit or underscore becomes an underscore.
std::string sanitized(std::string name) {
  for (char& c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!fits) c = '_';
  }
  return name;
}

void add_labels(const json& labels, const std::string& prefix, std::vector<Label>& out) {
  if (!labels.is_object()) return;
  for (const auto& [name, value] : labels.items()) out.push_back({prefix + sanitized(name), text(value)});
}

std::vector<Label> network_labels(const json& network) {
  const std::string prefix = std::string(kMeta) + "network_";
  std::vector<Label> labels = {{prefix + "id", text(member(network, "Id"))},
                               {prefix + "name", text(member(network, "Name"))},
                               {prefix + "scope", text(member(network, "Scope"))},
                               {prefix + "internal", boolean(member(network, "Internal"))},
                               {prefix + "ingress", boolean(member(network, "Ingress"))}};
  add_labels(member(network, "Labels"), prefix + "label_", labels);
  return labels;
}

std::string network_mode(const json& container) { return text(member(member(container, "HostConfig"), "NetworkMode")); }

/// The networks of a container by name, in order.
std::map<std::string, const json*> own_networks(const json& container) {
  std::map<std::string, const json*> out;
  const json& networks = member(member(container, "NetworkSettings"), "Networks");
  if (!networks.is_object()) return out;
  for (const auto& [name, network] : networks.items()) {
    if (network.is_object()) out.emplace(name, &network);
  }
  return out;
}

std::string address_of(const std::string& host, std::uint64_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

class Targets {
 public:
  Targets(const json& containers, const json& networks, const DockerDiscoveryConfig& config) : config_(config) {
    for (const json& container : containers) by_id_.emplace(text(member(container, "Id")), &container);
    for (const json& network : networks) networks_.emplace(text(member(network, "Id")), network_labels(network));
  }

  void add(const json& container) {
    const json& names = member(container, "Names");
    if (!names.is_array() || names.empty()) return;
    const std::string prefix = std::string(kMeta) + "container_";
    std::vector<Label> labels = {{prefix + "id", text(member(container, "Id"))},
                                 {prefix + "name", text(names.front())},
                                 {prefix + "network_mode", network_mode(container)}};
    add_labels(member(container, "Labels"), prefix + "label_", labels);
    auto networks = networks_of(container);
    if (config_.match_first_network && networks.size() > 1) networks.erase(std::next(networks.begin()), networks.end());
    for (const auto& [name, network] : networks) add_network(container, *network, labels);
  }

  std::vector<TargetGroup> groups;
  bool too_large() const { return label_bytes_ > kMostLabelBytes; }

 private:
  /// Its own, or those of the container whose network it shares.
  std::map<std::string, const json*> networks_of(const json& container) const {
    const json* at = &container;
    for (int hops = 0; hops < kMostHops; ++hops) {
      auto networks = own_networks(*at);
      if (!networks.empty()) return networks;
      const std::string mode = network_mode(*at);
      if (!mode.starts_with("container:")) break;
      const auto other = by_id_.find(mode.substr(10));
      if (other == by_id_.end()) break;
      at = other->second;
    }
    return {};
  }

  void add_network(const json& container, const json& network, const std::vector<Label>& common) {
    if (too_large()) return;
    const std::string ip = text(member(network, "IPAddress"));
    std::vector<Label> labels = common;
    labels.push_back({std::string(kMeta) + "network_ip", ip});
    if (const auto found = networks_.find(text(member(network, "NetworkID"))); found != networks_.end()) {
      labels.insert(labels.end(), found->second.begin(), found->second.end());
    }
    bool any = false;
    if (const json& ports = member(container, "Ports"); ports.is_array()) {
      for (const json& port : ports) {
        if (too_large()) return;
        if (text(member(port, "Type")) != "tcp") continue;
        any = true;
        add_port(port, ip, labels);
      }
    }
    if (any) return;
    // A container in the host's network has no ports of its own to show.
    const bool host = network_mode(container) == "host";
    add_target(host ? config_.host_networking_host : address_of(ip, static_cast<std::uint64_t>(config_.port)), labels);
  }

  void add_port(const json& port, const std::string& ip, std::vector<Label> labels) {
    const std::uint64_t inside = number(member(port, "PrivatePort"));
    const std::uint64_t outside = number(member(port, "PublicPort"));
    const std::string prefix = std::string(kMeta) + "port_";
    labels.push_back({prefix + "private", std::to_string(inside)});
    if (outside > 0) {
      labels.push_back({prefix + "public", std::to_string(outside)});
      labels.push_back({prefix + "public_ip", text(member(port, "IP"))});
    }
    add_target(address_of(ip, inside), std::move(labels));
  }

  void add_target(std::string address, std::vector<Label> labels) {
    for (const Label& label : labels) label_bytes_ += sizeof label + label.name.size() + label.value.size();
    groups.push_back({{std::move(address)}, Labels(std::move(labels))});
  }

  const DockerDiscoveryConfig& config_;
  std::size_t label_bytes_ = 0;
  std::map<std::string, const json*> by_id_;
  std::map<std::string, std::vector<Label>> networks_;  ///< by id
};

}  // namespace

Result<std::vector<TargetGroup>> docker_targets(std::string_view containers, std::string_view networks,
                                                const DockerDiscoveryConfig& config) {
  if (nests_deeper_than(containers, kMostLevels) || nests_deeper_than(networks, kMostLevels)) {
    return bad_data("docker: the engine's answer is nested too deeply");
  }
  const json list = json::parse(containers.begin(), containers.end(), nullptr, false);
  if (!list.is_array()) return bad_data("docker: the list of containers is not a JSON list");
  const json known = json::parse(networks.begin(), networks.end(), nullptr, false);
  if (!known.is_array()) return bad_data("docker: the list of networks is not a JSON list");
  Targets targets(list, known, config);
  for (const json& container : list) {
    targets.add(container);
    if (targets.too_large()) return bad_data("docker: the targets' labels have more than 256 MB");
  }
  return std::move(targets.groups);
}

}  // namespace pipit
