#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "delivery/matcher_syntax.h"
#include "delivery/receiver_config.h"
#include "delivery/time_interval.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// A node of the routing tree, with what it inherits filled in.
struct RouteConfig {
  std::string receiver;
  std::vector<Matcher> matchers;      ///< all must match
  bool continues = false;             ///< siblings behind it are tried, too
  bool group_by_all = false;          ///< `group_by: ['...']`
  std::vector<std::string> group_by;  ///< sorted
  DurationMs group_wait = 30'000;
  DurationMs group_interval = DurationMs{5} * 60'000;
  DurationMs repeat_interval = DurationMs{4} * 3'600'000;
  std::vector<std::string> mute_time_intervals;
  std::vector<std::string> active_time_intervals;
  std::string key;  ///< `{}/{severity="page"}`: of the path from the root
  std::vector<RouteConfig> routes;
};

struct InhibitRule {
  std::vector<Matcher> source;
  std::vector<Matcher> target;
  std::vector<std::string> equal;
};

/// Alertmanager's configuration file.
struct DeliveryConfig {
  DeliveryDefaults defaults;
  RouteConfig route;
  std::vector<InhibitRule> inhibit_rules;
  std::vector<ReceiverConfig> receivers;
  std::vector<std::pair<std::string, std::vector<TimeInterval>>> time_intervals;  ///< by name
  std::vector<std::string> templates;                                             ///< patterns of paths
  std::string redacted_text;                                                      ///< for the API
  std::vector<ConfigWarning> warnings;
};

/// Reads Alertmanager's configuration and checks all of it, its templates too. Errors: `FILE:LINE:COLUMN: what`.
Result<DeliveryConfig> load_delivery_config(const std::string& path);
/// The same from memory, with no template looked at; `name` stands for the file in messages.
Result<DeliveryConfig> parse_delivery_config(std::string_view text, const std::string& name);

/// The routes that an alert takes, in order; the root when no other.
std::vector<const RouteConfig*> matching_routes(const RouteConfig& root, const Labels& labels);

}  // namespace pipit
