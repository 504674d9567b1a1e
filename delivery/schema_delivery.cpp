// The tables of Alertmanager's file but for its receivers, and which of the keys exclude each other.
// Source of keys, rules and wordings: Alertmanager 0.28, config/config.go, and the keys that came up to 0.31.

#include "delivery/schema_delivery.h"

#include <set>

#include "delivery/receiver_config.h"
#include "model/duration.h"
#include "model/labels.h"

namespace pipit {
namespace {

using enum FieldType;
using Failure = std::optional<Error>;

bool is_label_name(std::string_view name) { return !name.empty() && is_valid_utf8(name); }

Failure check_label_names(const YamlNode& node, const char* key, SchemaChecker& checker) {
  const YamlNode* map = node.find(key);
  if (map == nullptr) return std::nullopt;
  for (const auto& [name, value] : map->entries) {
    if (!is_label_name(name->text)) return checker.fail(*name, "invalid label name " + quote(name->text));
  }
  return std::nullopt;
}

// ---- route

Failure check_group_by(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* list = node.find("group_by");
  if (list == nullptr) return std::nullopt;
  std::set<std::string_view> names;
  for (const YamlNodePtr& item : list->items) {
    if (!is_label_name(item->text)) {
      return checker.fail(*item, "invalid label name " + quote(item->text) + " in group_by list");
    }
    if (!names.insert(item->text).second) {
      return checker.fail(*item, "duplicated label " + quote(item->text) + " in group_by");
    }
  }
  if (names.contains("...") && names.size() > 1) {
    return checker.fail(*list, "cannot have wildcard group_by (`...`) and other other labels at the same time");
  }
  return std::nullopt;
}

Failure check_route(const YamlNode& node, SchemaChecker& checker) {
  for (const char* key : {"match", "match_re"}) {
    if (auto error = check_label_names(node, key, checker)) return error;
  }
  for (const char* key : {"group_interval", "repeat_interval"}) {
    const YamlNode* value = node.find(key);
    if (value == nullptr || value->is_null()) continue;
    if (*parse_duration(value->text) == 0) return checker.fail(*value, std::string(key) + " cannot be zero");
  }
  return check_group_by(node, checker);
}

constexpr Field kRouteFields[] = {
    {"receiver"},
    {"group_by", string_list},
    {"match", string_map},
    {"match_re", string_map},
    {"matchers", string_list},
    {"mute_time_intervals", string_list},
    {"active_time_intervals", string_list},
    {"continue", boolean},
    {"routes", section_list, &kRouteSection},
    {"group_wait", duration},
    {"group_interval", duration},
    {"repeat_interval", duration},
};

// ---- inhibit_rules

Failure check_inhibit_rule(const YamlNode& node, SchemaChecker& checker) {
  for (const char* key : {"source_match", "source_match_re", "target_match", "target_match_re"}) {
    if (auto error = check_label_names(node, key, checker)) return error;
  }
  if (const YamlNode* equal = node.find("equal")) {
    for (const YamlNodePtr& item : equal->items) {
      if (!is_label_name(item->text)) {
        return checker.fail(*item, "invalid label name " + quote(item->text) + " in equal list");
      }
    }
  }
  return std::nullopt;
}

constexpr Field kInhibitFields[] = {
    {"name"},
    {"source_match", string_map},
    {"source_match_re", string_map},
    {"source_matchers", string_list},
    {"target_match", string_map},
    {"target_match_re", string_map},
    {"target_matchers", string_list},
    {"equal", string_list},
};
constexpr Section kInhibitRule{"inhibit rule", kInhibitFields, {}, check_inhibit_rule, "empty inhibit rule"};

// ---- time intervals

constexpr Field kTimeRangeFields[] = {{"start_time"}, {"end_time"}};
constexpr Section kTimeRange{"times", kTimeRangeFields, {}, nullptr, "empty range of times"};

constexpr Field kTimeIntervalFields[] = {
    {"times", section_list, &kTimeRange},
    {"weekdays", string_list},
    {"days_of_month", string_list},
    {"months", string_list},
    {"years", string_list},
    {"location"},
};
constexpr Section kTimeInterval{"time interval", kTimeIntervalFields, {}, nullptr, "empty time interval"};

Failure check_named_interval(const YamlNode& node, SchemaChecker& checker) {
  if (node.has_text("name")) return std::nullopt;
  return checker.fail(node, "missing name in time interval");
}

constexpr Field kNamedIntervalFields[] = {{"name"}, {"time_intervals", section_list, &kTimeInterval}};
constexpr Section kNamedInterval{
    "time interval", kNamedIntervalFields, {}, check_named_interval, "empty time interval"};

// ---- the top

Failure check_top(const YamlNode& node, SchemaChecker& checker) {
  const YamlNode* route = node.find("route");
  if (route == nullptr || route->is_null()) return checker.fail(node, "no routes provided");
  if (!route->has_text("receiver")) return checker.fail(*route, "root route must specify a default receiver");
  for (const char* key : {"match", "match_re"}) {
    const YamlNode* value = route->find(key);
    if (value != nullptr && !value->is_empty()) {
      return checker.fail(*value, "root route must not have any matchers");
    }
  }
  for (const auto& [key, what] :
       {std::pair("mute_time_intervals", "mute"), std::pair("active_time_intervals", "active")}) {
    const YamlNode* value = route->find(key);
    if (value != nullptr && !value->is_empty()) {
      return checker.fail(*value, "root route must not have any " + std::string(what) + " time intervals");
    }
  }
  return std::nullopt;
}

constexpr Field kTopFields[] = {
    {"global", section, &kDeliveryGlobalSection},
    {"route", section, &kRouteSection},
    {"inhibit_rules", section_list, &kInhibitRule},
    {"receivers", section_list, &kReceiverSection},
    {"templates", string_list},
    {"mute_time_intervals", section_list, &kNamedInterval},
    {"time_intervals", section_list, &kNamedInterval},
    {"tracing", anything, nullptr, "", "is not supported yet: no traces are sent"},
};

}  // namespace

constinit const Section kRouteSection{"route", kRouteFields, {}, check_route, "empty route"};
constinit const Section kDeliverySection{"the configuration", kTopFields, {}, check_top};

}  // namespace pipit
