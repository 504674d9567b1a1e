#pragma once

#include <string_view>

namespace pipit {

/// Pipit's own version, such as 0.1.0.
std::string_view pipit_version();
/// The Prometheus whose flags, configuration, PromQL and API this version has.
inline constexpr std::string_view kPrometheusVersion = "3.14";

}  // namespace pipit
