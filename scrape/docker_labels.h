#pragma once

#include <string_view>
#include <vector>

#include "config/discovery_config.h"
#include "model/result.h"

namespace pipit {

/// The targets of a Docker host: for each container and each of its networks an address a TCP port, or one with the
/// configured port when there is none. `containers` and `networks` are the engine's answers to /containers/json and
/// /networks. Each group has one target. Errors: bad_data when an answer is not what the engine's API says.
/// Source of labels and rules: Prometheus, discovery/moby/docker.go.
Result<std::vector<TargetGroup>> docker_targets(std::string_view containers, std::string_view networks,
                                                const DockerDiscoveryConfig& config);

}  // namespace pipit
