#pragma once

#include <string>
#include <string_view>

namespace pipit {

enum class MetricType { unknown, counter, gauge, histogram, gaugehistogram, summary, info, stateset };

/// "counter", "gauge"...; unknown for a word that is none of them (`untyped` included).
MetricType parse_metric_type(std::string_view word);
std::string_view metric_type_name(MetricType type);

/// What an exposition page says of a metric family besides its samples.
struct Metadata {
  MetricType type = MetricType::unknown;
  std::string help;
  std::string unit;
  bool operator==(const Metadata&) const = default;
};

}  // namespace pipit
