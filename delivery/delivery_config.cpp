// Source of defaults, rules and wordings: Alertmanager 0.28, config/config.go and dispatch/route.go.

#include "delivery/delivery_config.h"

#include <algorithm>
#include <set>

#include "config/config_file.h"
#include "config/yaml_emit.h"
#include "config/yaml_tree.h"
#include "delivery/notification_templates.h"
#include "delivery/schema_delivery.h"
#include "model/duration.h"
#include "model/time_zone.h"

namespace pipit {
namespace {

using Failure = std::optional<Error>;

constexpr DurationMs kRetention = DurationMs{120} * 3'600'000;

std::vector<std::string> texts_of(const YamlNode& node, std::string_view key) {
  std::vector<std::string> texts;
  if (const YamlNode* list = node.find(key)) {
    for (const YamlNodePtr& item : list->items) texts.push_back(item->text);
  }
  return texts;
}

/// What is written, which may be 0.
DurationMs written_or(const YamlNode& node, std::string_view key, DurationMs inherited) {
  return node.has(key) ? *parse_duration(node.text_of(key)) : inherited;
}

/// Builds what one file says. Its sections were found right.
class Loader {
 public:
  explicit Loader(const std::string& name) : checker_(name) {}

  Result<DeliveryConfig> load(std::string_view text, bool with_templates) {
    auto root = parse_yaml(text, checker_.file());
    if (!root.ok()) return root.error();
    if (!(*root)->is_mapping()) return checker_.fail(**root, "no routes provided");
    if (auto error = load_tree(**root)) return *error;
    if (auto error = checker_.refusal()) return *error;
    if (with_templates) {
      if (auto error = check_templates(**root)) return *error;
    }
    config_.warnings = std::move(checker_.warnings());
    config_.redacted_text = emit_yaml(**root, checker_.secrets());
    return std::move(config_);
  }

 private:
  Failure load_tree(const YamlNode& root) {
    if (auto error = checker_.check(root, kDeliverySection)) return error;
    auto defaults = build_delivery_defaults(root.find("global"), checker_);
    if (!defaults.ok()) return defaults.error();
    config_.defaults = std::move(*defaults);
    for (const std::string& pattern : texts_of(root, "templates")) {
      config_.templates.push_back(checker_.path_of(pattern));
    }
    if (auto error = add_receivers(root)) return error;
    for (const char* key : {"mute_time_intervals", "time_intervals"}) {
      if (auto error = add_time_intervals(root, key)) return error;
    }
    const YamlNode& top = *root.find("route");
    config_.route = RouteConfig();
    if (auto error = build_route(top, nullptr, config_.route)) return error;
    if (!config_.route.matchers.empty()) {
      checker_.warn(*top.find("matchers"), "the root route has matchers: alerts that they don't match are told nobody");
    }
    return add_inhibit_rules(root);
  }

  Failure add_receivers(const YamlNode& root) {
    const YamlNode* list = root.find("receivers");
    for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
      const YamlNode& item = *list->items[i];
      auto receiver = build_receiver(item, config_.defaults, checker_);
      if (!receiver.ok()) return receiver.error();
      if (!receivers_.insert(receiver->name).second) {
        return checker_.fail(*item.find("name"),
                             "notification config name " + quote(receiver->name) + " is not unique");
      }
      config_.receivers.push_back(std::move(*receiver));
    }
    return std::nullopt;
  }

  // ---- time intervals

  Failure add_time_intervals(const YamlNode& root, const char* key) {
    const YamlNode* list = root.find(key);
    for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
      const YamlNode& item = *list->items[i];
      const std::string name(item.text_of("name"));
      if (!intervals_.insert(name).second) {
        return checker_.fail(*item.find("name"), "time interval " + quote(name) + " is not unique");
      }
      std::vector<TimeInterval> intervals;
      const YamlNode* parts = item.find("time_intervals");
      for (std::size_t j = 0; parts != nullptr && j < parts->items.size(); ++j) {
        if (auto error = build_time_interval(*parts->items[j], intervals.emplace_back())) return error;
      }
      config_.time_intervals.emplace_back(name, std::move(intervals));
    }
    return std::nullopt;
  }

  Failure build_time_interval(const YamlNode& node, TimeInterval& interval) {
    const YamlNode* times = node.find("times");
    for (std::size_t i = 0; times != nullptr && i < times->items.size(); ++i) {
      const YamlNode& item = *times->items[i];
      auto range = parse_time_range(item.text_of("start_time"), item.text_of("end_time"));
      if (!range.ok()) return checker_.fail(item, range.error().message);
      interval.times.push_back(*range);
    }
    using Parse = Result<std::pair<int, int>> (*)(std::string_view);
    const std::tuple<const char*, Parse, TimeInterval::Ranges*> lists[] = {
        {"weekdays", parse_weekday_range, &interval.weekdays},
        {"days_of_month", parse_day_of_month_range, &interval.days_of_month},
        {"months", parse_month_range, &interval.months},
        {"years", parse_year_range, &interval.years}};
    for (const auto& [key, parse, ranges] : lists) {
      const YamlNode* list = node.find(key);
      for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
        auto range = parse(list->items[i]->text);
        if (!range.ok()) return checker_.fail(*list->items[i], range.error().message);
        ranges->push_back(*range);
      }
    }
    if (!node.has_text("location")) return std::nullopt;
    interval.location = node.text_of("location");
    auto& zone = zones_[interval.location];
    if (!zone) {
      auto loaded = TimeZone::load(interval.location);
      if (!loaded.ok()) return checker_.fail(*node.find("location"), loaded.error().message);
      zone = std::make_shared<const TimeZone>(std::move(*loaded));
    }
    interval.zone = zone;
    return std::nullopt;
  }

  // ---- routes and inhibition

  /// Adds those of `match`, `match_re` and `matchers` behind a prefix such as `source_`.
  Failure add_matchers(const YamlNode& node, const std::string& prefix, std::vector<Matcher>& matchers) {
    if (const YamlNode* map = node.find(prefix + "match")) {
      for (const auto& [name, value] : map->entries) matchers.push_back(Matcher::equal(name->text, value->text));
    }
    if (const YamlNode* map = node.find(prefix + "match_re")) {
      for (const auto& [name, value] : map->entries) {
        // As Alertmanager has it, whose group keys show it so.
        auto matcher = Matcher::make(MatchType::regex, name->text, "^(?:" + value->text + ")$");
        if (!matcher.ok()) return checker_.fail(*value, matcher.error().message);
        matchers.push_back(std::move(*matcher));
      }
    }
    if (const YamlNode* list = node.find(prefix + "matchers")) {
      for (const YamlNodePtr& item : list->items) {
        auto parsed = parse_alert_matchers(item->text);
        if (!parsed.ok()) return checker_.fail(*item, parsed.error().message);
        for (Matcher& matcher : *parsed) matchers.push_back(std::move(matcher));
      }
    }
    sort_alert_matchers(matchers);
    return std::nullopt;
  }

  /// `parent` has been built but for its `routes`.
  Failure build_route(const YamlNode& node, const RouteConfig* parent, RouteConfig& route) {
    if (parent != nullptr) {
      route.receiver = parent->receiver;
      route.group_by = parent->group_by;
      route.group_by_all = parent->group_by_all;
      route.group_wait = parent->group_wait;
      route.group_interval = parent->group_interval;
      route.repeat_interval = parent->repeat_interval;
    }
    if (node.has_text("receiver")) route.receiver = node.text_of("receiver");
    if (!receivers_.contains(route.receiver)) {
      return checker_.fail(*node.find("receiver"), "undefined receiver " + quote(route.receiver) + " used in route");
    }
    if (auto error = add_matchers(node, "", route.matchers)) return error;
    route.key = (parent == nullptr ? "" : parent->key + "/") + alert_matchers_text(route.matchers);
    read_group_by(node, route);
    route.group_wait = written_or(node, "group_wait", route.group_wait);
    route.group_interval = written_or(node, "group_interval", route.group_interval);
    route.repeat_interval = written_or(node, "repeat_interval", route.repeat_interval);
    warn_of_repeats(node, route);
    if (const YamlNode* value = node.find("continue")) route.continues = yaml_boolean(*value).value_or(false);
    if (auto error = read_interval_names(node, "mute_time_intervals", route.mute_time_intervals)) return error;
    if (auto error = read_interval_names(node, "active_time_intervals", route.active_time_intervals)) return error;
    const YamlNode* children = node.find("routes");
    if (children == nullptr) return std::nullopt;
    route.routes.resize(children->items.size());
    for (std::size_t i = 0; i < children->items.size(); ++i) {
      if (auto error = build_route(*children->items[i], &route, route.routes[i])) return error;
    }
    return std::nullopt;
  }

  static void read_group_by(const YamlNode& node, RouteConfig& route) {
    auto names = texts_of(node, "group_by");
    if (names.empty()) return;  // an empty list says nothing: in Alertmanager the parent's is in force then
    route.group_by = std::move(names);
    std::sort(route.group_by.begin(), route.group_by.end());
    // Like Alertmanager: a list below a route with `...` takes its place, whatever it says.
    route.group_by_all = !route.group_by.empty() && route.group_by.front() == "...";
    if (route.group_by_all) route.group_by.clear();
  }

  void warn_of_repeats(const YamlNode& node, const RouteConfig& route) {
    const YamlNode* written = node.find("repeat_interval");
    if (written == nullptr) written = node.find("group_interval");
    if (written == nullptr) return;
    if (route.repeat_interval > kRetention) {
      checker_.warn(*written,
                    "repeat_interval is greater than the time for which is known what was told (120h): "
                    "notifications are repeated more often");
    }
    if (route.repeat_interval < route.group_interval) {
      checker_.warn(*written,
                    "repeat_interval is less than group_interval: notifications are repeated with the next "
                    "group_interval");
    }
  }

  Failure read_interval_names(const YamlNode& node, const char* key, std::vector<std::string>& names) {
    const YamlNode* list = node.find(key);
    for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
      const YamlNode& item = *list->items[i];
      if (!intervals_.contains(item.text)) {
        return checker_.fail(item, "undefined time interval " + quote(item.text) + " used in route");
      }
      names.push_back(item.text);
    }
    return std::nullopt;
  }

  Failure add_inhibit_rules(const YamlNode& root) {
    const YamlNode* list = root.find("inhibit_rules");
    for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
      const YamlNode& item = *list->items[i];
      InhibitRule& rule = config_.inhibit_rules.emplace_back();
      if (auto error = add_matchers(item, "source_", rule.source)) return error;
      if (auto error = add_matchers(item, "target_", rule.target)) return error;
      rule.equal = texts_of(item, "equal");
    }
    return std::nullopt;
  }

  // ---- templates

  Failure check_templates(const YamlNode& root) {
    auto templates = NotificationTemplates::load(config_.templates);
    if (!templates.ok()) {
      const YamlNode* list = root.find("templates");
      return checker_.fail(list == nullptr ? root : *list, templates.error().message);
    }
    for (std::size_t i = 0; i < config_.receivers.size(); ++i) {
      for (const auto& [key, text] : template_texts(config_.receivers[i])) {
        if (Status status = (*templates)->check(text); !status.ok()) {
          return checker_.fail(*root.find("receivers")->items[i], key + ": " + status.error().message);
        }
      }
    }
    return std::nullopt;
  }

  SchemaChecker checker_;
  DeliveryConfig config_;
  std::set<std::string> receivers_;
  std::set<std::string> intervals_;
  std::map<std::string, std::shared_ptr<const TimeZone>> zones_;
};

}  // namespace

Result<DeliveryConfig> load_delivery_config(const std::string& path) {
  auto text = read_config_file(path);
  if (!text.ok()) return text.error();
  return Loader(path).load(*text, true);
}

Result<DeliveryConfig> parse_delivery_config(std::string_view text, const std::string& name) {
  return Loader(name).load(text, false);
}

}  // namespace pipit
