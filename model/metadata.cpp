#include "model/metadata.h"

#include <array>

namespace pipit {

namespace {
constexpr std::array<std::string_view, 8> kTypeNames = {"unknown",        "counter", "gauge", "histogram",
                                                        "gaugehistogram", "summary", "info",  "stateset"};
}  // namespace

MetricType parse_metric_type(std::string_view word) {
  for (std::size_t i = 0; i < kTypeNames.size(); ++i) {
    if (kTypeNames[i] == word) return static_cast<MetricType>(i);
  }
  return MetricType::unknown;
}

std::string_view metric_type_name(MetricType type) { return kTypeNames[static_cast<std::size_t>(type)]; }

}  // namespace pipit
