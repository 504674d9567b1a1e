#pragma once

#include <filesystem>
#include <string>

namespace pipit {

/// What of Prometheus's own data is in a data directory, in words such as `12 blocks, a write-ahead log`; "" when there
/// is nothing. Reads names only.
std::string describe_prometheus_data(const std::filesystem::path& directory);

}  // namespace pipit
