// Source of fields, methods and JSON: Alertmanager 0.28, template/template.go.

#include "delivery/notification_data.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "delivery/text_limits.h"
#include "model/duration.h"
#include "model/number.h"
#include "template/prometheus_functions.h"

namespace pipit {
namespace {

using Arguments = std::span<const TemplateValue>;
using Found = Result<std::optional<TemplateValue>>;

constexpr TimestampMs kNoTime = -62'135'596'800'000;  // the first of January of year 1
/// Lists in lists.
constexpr int kMostDepth = 100;

Found found(TemplateValue value) { return std::optional<TemplateValue>(std::move(value)); }
Found none() { return std::optional<TemplateValue>(); }
Error unwanted(std::string_view name) {
  return execution_error("wrong number of args for " + std::string(name) + ": want 0");
}

template <class T, class... Parts>
TemplateValue object(Parts&&... parts) {
  return TemplateValue(std::shared_ptr<const TemplateObject>(std::make_shared<const T>(std::forward<Parts>(parts)...)));
}

void append_json_pairs(std::string& out, const NotificationPairs& pairs) {
  out += '{';
  for (const Label& pair : pairs) {
    if (&pair != &pairs.front()) out += ',';
    append_json_text(out, pair.name);
    out += ':';
    append_json_text(out, pair.value);
  }
  out += '}';
}

/// Something of which `toJson` knows how it is written.
class JsonObject : public TemplateObject {
 public:
  virtual void append_json(std::string& out) const = 0;
};

// ---- names and values --------------------------------------------------------------------------------------------
class Pair final : public JsonObject {
 public:
  explicit Pair(Label pair) : pair_(std::move(pair)) {}

  Found field(std::string_view name, Arguments arguments) const override {
    if (!arguments.empty()) return unwanted(name);
    if (name == "Name") return found(pair_.name);
    if (name == "Value") return found(pair_.value);
    return none();
  }
  std::string text() const override { return "{" + pair_.name + " " + pair_.value + "}"; }
  std::string_view type_name() const override { return "template.Pair"; }
  void append_json(std::string& out) const override {
    out += "{\"Name\":";
    append_json_text(out, pair_.name);
    out += ",\"Value\":";
    append_json_text(out, pair_.value);
    out += '}';
  }

 private:
  Label pair_;
};

TemplateValue names_of(const NotificationPairs& pairs) {
  TemplateValue::List names;
  for (const Label& pair : pairs) names.emplace_back(pair.name);
  return names;
}

TemplateValue values_of(const NotificationPairs& pairs) {
  TemplateValue::List values;
  for (const Label& pair : pairs) values.emplace_back(pair.value);
  return values;
}

class Pairs final : public TemplateObject {
 public:
  explicit Pairs(NotificationPairs pairs) : pairs_(std::move(pairs)) {
    TemplateValue::List list;
    for (const Label& pair : pairs_) list.push_back(object<Pair>(pair));
    list_ = TemplateValue(std::move(list));
  }

  Found field(std::string_view name, Arguments arguments) const override {
    if (!arguments.empty()) return unwanted(name);
    if (name == "Names") return found(names_of(pairs_));
    if (name == "Values") return found(values_of(pairs_));
    if (name == "String") return found(text());
    return none();
  }
  std::string text() const override {
    std::string out;
    for (const Label& pair : pairs_) out += (out.empty() ? "" : ", ") + pair.name + "=" + pair.value;
    return out;
  }
  std::string_view type_name() const override { return "template.Pairs"; }
  const TemplateValue* elements() const override { return &list_; }

 private:
  NotificationPairs pairs_;
  TemplateValue list_;
};

/// Labels or annotations.
class KeyValues final : public JsonObject {
 public:
  explicit KeyValues(NotificationPairs pairs) : pairs_(std::move(pairs)) {
    TemplateValue::Map map;
    map.missing = TemplateValue("");
    for (const Label& pair : pairs_) map.entries.emplace_hint(map.entries.end(), pair.name, pair.value);
    map_ = TemplateValue(std::move(map));
  }

  Found field(std::string_view name, Arguments arguments) const override {
    if (name == "Remove") return remove(arguments);
    const bool known = name == "SortedPairs" || name == "Names" || name == "Values" || name == "String";
    if (!known) return none();
    if (!arguments.empty()) return unwanted(name);
    const NotificationPairs sorted = alertname_first();
    if (name == "SortedPairs") return found(object<Pairs>(sorted));
    if (name == "Names") return found(names_of(sorted));
    if (name == "Values") return found(values_of(sorted));
    return found(Pairs(sorted).text());
  }
  std::string text() const override { return Pairs(alertname_first()).text(); }
  std::string_view type_name() const override { return "template.KV"; }
  const TemplateValue* elements() const override { return &map_; }
  void append_json(std::string& out) const override { append_json_pairs(out, pairs_); }

 private:
  NotificationPairs alertname_first() const {
    NotificationPairs sorted = pairs_;
    std::stable_partition(sorted.begin(), sorted.end(), [](const Label& pair) { return pair.name == "alertname"; });
    return sorted;
  }

  Found remove(Arguments arguments) const {
    const auto* names = arguments.size() == 1 ? arguments[0].list() : nullptr;
    if (names == nullptr) return execution_error("wrong type or number of args for Remove: want 1 []string");
    NotificationPairs rest;
    for (const Label& pair : pairs_) {
      const bool goes = std::any_of(names->begin(), names->end(), [&pair](const TemplateValue& name) {
        return name.string() != nullptr && *name.string() == pair.name;
      });
      if (!goes) rest.push_back(pair);
    }
    return found(object<KeyValues>(std::move(rest)));
  }

  NotificationPairs pairs_;
  TemplateValue map_;
};

// ---- alerts ------------------------------------------------------------------------------------------------------
NotificationPairs pairs_of(const Labels& labels) {
  NotificationPairs pairs;
  for (const auto& [name, value] : labels) pairs.push_back({std::string(name), std::string(value)});
  return pairs;
}

std::string fingerprint_of(const DeliveredAlert& alert) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016" PRIx64, alert_fingerprint(alert.labels));
  return digits;
}

/// As Go writes times: without zeros at the end of a second's fraction.
std::string json_time(TimestampMs time) {
  if (time == kNoTime) return "0001-01-01T00:00:00Z";
  std::string text = format_rfc3339(time);
  const std::size_t point = text.find('.');
  if (point == std::string::npos) return text;
  text.pop_back();
  text.resize(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + "Z";
}

class Alert final : public JsonObject {
 public:
  Alert(DeliveredAlertPtr alert, TimestampMs now) : alert_(std::move(alert)), resolved_(alert_->resolved_at(now)) {}

  Found field(std::string_view name, Arguments arguments) const override {
    if (!arguments.empty()) return unwanted(name);
    if (name == "Status") return found(status());
    if (name == "Labels") return found(object<KeyValues>(pairs_of(alert_->labels)));
    if (name == "Annotations") return found(object<KeyValues>(alert_->annotations));
    if (name == "StartsAt") return found(template_time(alert_->starts_at));
    if (name == "EndsAt") return found(template_time(ends_at()));
    if (name == "GeneratorURL") return found(alert_->generator_url);
    if (name == "Fingerprint") return found(fingerprint_of(*alert_));
    return none();
  }
  std::string text() const override {
    return "{" + std::string(status()) + " " + KeyValues(pairs_of(alert_->labels)).text() + " " +
           KeyValues(alert_->annotations).text() + " " + template_time(alert_->starts_at).text() + " " +
           template_time(ends_at()).text() + " " + alert_->generator_url + " " + fingerprint_of(*alert_) + "}";
  }
  std::string_view type_name() const override { return "template.Alert"; }
  void append_json(std::string& out) const override {
    out += std::string("{\"status\":\"") + status() + "\",\"labels\":";
    append_json_pairs(out, pairs_of(alert_->labels));
    out += ",\"annotations\":";
    append_json_pairs(out, alert_->annotations);
    out += ",\"startsAt\":\"" + json_time(alert_->starts_at) + "\",\"endsAt\":\"" + json_time(ends_at()) +
           "\",\"generatorURL\":";
    append_json_text(out, alert_->generator_url);
    out += ",\"fingerprint\":\"" + fingerprint_of(*alert_) + "\"}";
  }

 private:
  const char* status() const { return resolved_ ? "resolved" : "firing"; }
  TimestampMs ends_at() const { return resolved_ ? alert_->ends_at : kNoTime; }

  DeliveredAlertPtr alert_;
  bool resolved_;
};

class Alerts final : public TemplateObject {
 public:
  Alerts(std::vector<DeliveredAlertPtr> alerts, TimestampMs now) : alerts_(std::move(alerts)), now_(now) {
    TemplateValue::List list;
    for (const DeliveredAlertPtr& alert : alerts_) list.push_back(object<Alert>(alert, now));
    list_ = TemplateValue(std::move(list));
  }

  Found field(std::string_view name, Arguments arguments) const override {
    if (name != "Firing" && name != "Resolved") return none();
    if (!arguments.empty()) return unwanted(name);
    std::vector<DeliveredAlertPtr> some;
    for (const DeliveredAlertPtr& alert : alerts_) {
      if (alert->resolved_at(now_) == (name == "Resolved")) some.push_back(alert);
    }
    return found(object<Alerts>(std::move(some), now_));
  }
  std::string text() const override { return list_.text(); }
  std::string_view type_name() const override { return "template.Alerts"; }
  const TemplateValue* elements() const override { return &list_; }

 private:
  std::vector<DeliveredAlertPtr> alerts_;
  TimestampMs now_;
  TemplateValue list_;
};

/// What all of the lists have in common.
NotificationPairs common(const std::vector<DeliveredAlertPtr>& alerts,
                         NotificationPairs (*pairs)(const DeliveredAlert&)) {
  NotificationPairs shared = pairs(*alerts.front());
  for (std::size_t i = 1; i < alerts.size() && !shared.empty(); ++i) {
    const NotificationPairs other = pairs(*alerts[i]);
    std::erase_if(shared, [&other](const Label& pair) {
      const auto its =
          std::find_if(other.begin(), other.end(), [&](const Label& each) { return each.name == pair.name; });
      return pair.value != (its == other.end() ? "" : its->value);  // none is an empty one, as for Alertmanager
    });
  }
  return shared;
}

/// A regular expression that the name alone matches, as Go's QuoteMeta makes it: links ask for alerts by it.
std::string as_regex(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

Status append_json(std::string& out, const TemplateValue& value, int depth);

Status append_json_list(std::string& out, const TemplateValue::List& list, int depth) {
  out += '[';
  for (const TemplateValue& element : list) {
    if (&element != &list.front()) out += ',';
    if (Status status = append_json(out, element, depth + 1); !status) return status;
  }
  out += ']';
  return {};
}

Status append_json(std::string& out, const TemplateValue& value, int depth) {
  if (depth > kMostDepth || out.size() > TemplateValue::kMaxText) return execution_error("the value is too large");
  if (value.is_nil()) {
    out += "null";
  } else if (const std::string* text = value.string()) {
    append_json_text(out, *text);
  } else if (value.boolean() != nullptr || value.integer() != nullptr) {
    out += value.text();
  } else if (const double* number = value.real()) {
    append_api_float(out, *number);
  } else if (const auto* json = dynamic_cast<const JsonObject*>(value.object())) {
    json->append_json(out);
  } else if (const auto* data = dynamic_cast<const NotificationData*>(value.object())) {
    out += "{" + data->json_fields() + "}";
  } else if (const auto* list = value.list()) {
    return append_json_list(out, *list, depth);
  } else if (const auto* map = value.map()) {
    out += '{';
    for (const auto& [key, element] : map->entries) {
      if (out.back() != '{') out += ',';
      append_json_text(out, key);
      out += ':';
      if (Status status = append_json(out, element, depth + 1); !status) return status;
    }
    out += '}';
  } else {
    append_json_text(out, value.text());
  }
  return {};
}

}  // namespace

bool is_firing(const Notification& notification) {
  return std::any_of(notification.alerts.begin(), notification.alerts.end(),
                     [&](const DeliveredAlertPtr& alert) { return !alert->resolved_at(notification.now); });
}

NotificationData::NotificationData(const Notification& notification, std::string external_url)
    : receiver_(as_regex(notification.receiver)),
      alerts_(notification.alerts),
      now_(notification.now),
      firing_(is_firing(notification)),
      group_labels_(pairs_of(notification.group_labels)),
      external_url_(std::move(external_url)) {
  if (alerts_.empty()) return;
  common_labels_ = common(alerts_, [](const DeliveredAlert& alert) { return pairs_of(alert.labels); });
  common_annotations_ = common(alerts_, [](const DeliveredAlert& alert) { return alert.annotations; });
}

Result<std::optional<TemplateValue>> NotificationData::field(std::string_view name, Arguments arguments) const {
  if (!arguments.empty()) return unwanted(name);
  if (name == "Receiver") return found(receiver_);
  if (name == "Status") return found(firing_ ? "firing" : "resolved");
  if (name == "Alerts") return found(object<Alerts>(alerts_, now_));
  if (name == "GroupLabels") return found(object<KeyValues>(group_labels_));
  if (name == "CommonLabels") return found(object<KeyValues>(common_labels_));
  if (name == "CommonAnnotations") return found(object<KeyValues>(common_annotations_));
  if (name == "ExternalURL") return found(external_url_);
  return none();
}

std::string NotificationData::text() const {
  return "{" + receiver_ + " " + (firing_ ? "firing " : "resolved ") + Alerts(alerts_, now_).text() + " " +
         KeyValues(group_labels_).text() + " " + KeyValues(common_labels_).text() + " " +
         KeyValues(common_annotations_).text() + " " + external_url_ + "}";
}

std::string NotificationData::json_fields() const {
  std::string out = "\"receiver\":";
  append_json_text(out, receiver_);
  out += std::string(",\"status\":\"") + (firing_ ? "firing" : "resolved") + "\",\"alerts\":[";
  for (std::size_t i = 0; i < alerts_.size(); ++i) {
    if (i > 0) out += ',';
    Alert(alerts_[i], now_).append_json(out);
  }
  out += "],\"groupLabels\":";
  append_json_pairs(out, group_labels_);
  out += ",\"commonLabels\":";
  append_json_pairs(out, common_labels_);
  out += ",\"commonAnnotations\":";
  append_json_pairs(out, common_annotations_);
  out += ",\"externalURL\":";
  append_json_text(out, external_url_);
  return out;
}

void append_json_text(std::string& out, std::string_view text) {
  constexpr const char* kDigits = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      out += std::string("\\u00") + kDigits[byte >> 4] + kDigits[byte & 15];
    } else if (byte < 0x80) {
      out += c;
    } else {
      const std::size_t length = utf8_length(text.substr(i));
      const std::string_view character = text.substr(i, std::max<std::size_t>(length, 1));
      if (length == 0) {
        out += "\\ufffd";
      } else if (character == "\u2028" || character == "\u2029") {
        out += character.back() == '\xa8' ? "\\u2028" : "\\u2029";
      } else {
        out += character;
      }
      i += character.size() - 1;
    }
  }
  out += '"';
}

Result<std::string> template_json(const TemplateValue& value) {
  std::string out;
  if (Status status = append_json(out, value, 0); !status) return status.error();
  return out;
}

}  // namespace pipit
