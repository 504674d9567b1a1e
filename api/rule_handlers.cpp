// Source of parameters, errors and answers: Prometheus 3.14, web/api/v1/api.go.

#include "api/rule_handlers.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/api_answer.h"
#include "api/api_parameters.h"
#include "api/json_writer.h"
#include "model/duration.h"
#include "model/matcher.h"
#include "query/parser.h"
#include "rules/alert_sender.h"
#include "rules/alerting_rule.h"
#include "rules/rule_manager.h"

namespace pipit {
namespace {

/// What a caller wants to see of the groups.
struct RuleFilter {
  bool alerting = true;
  bool recording = true;
  bool with_alerts = true;
  std::vector<std::string_view> names;
  std::vector<std::string_view> groups;
  std::vector<std::string_view> files;
  std::vector<std::vector<Matcher>> matcher_sets;
  std::size_t group_limit = 0;  ///< 0: none
  std::string_view next_token;

  static bool has(const std::vector<std::string_view>& wanted, std::string_view text) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), text) != wanted.end();
  }
  bool wants(const RuleGroup& group) const { return has(groups, group.name()) && has(files, group.file()); }
  bool wants(const Rule& rule) const {
    const RuleConfig& config = rule.config();
    if (!(config.alerting ? alerting : recording) || !has(names, config.name)) return false;
    if (matcher_sets.empty()) return true;
    return std::any_of(matcher_sets.begin(), matcher_sets.end(), [&](const auto& set) {
      return std::all_of(set.begin(), set.end(),
                         [&](const Matcher& m) { return m.matches(label_of(config, m.name())); });
    });
  }
  /// A label that is a template has no value before there is an alert.
  static std::string_view label_of(const RuleConfig& config, std::string_view name) {
    for (const Label& label : config.labels) {
      if (label.name == name) return label.value.find("{{") == std::string::npos ? label.value : std::string_view();
    }
    return {};
  }
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Status read_pages(const FormFields& form, RuleFilter& filter) {
  const std::string_view limit = form.get("group_limit");
  filter.next_token = form.get("group_next_token");
  if (limit.empty()) {
    if (filter.next_token.empty()) return {};
    return invalid_parameter("group_limit",
                             bad_data("group_limit needs to be present in order to paginate over the groups"));
  }
  const auto number = parse_integer(limit);
  if (!number.ok()) {
    return invalid_parameter("group_limit",
                             bad_data("group_limit needs to be a valid number: " + number.error().message));
  }
  if (*number <= 0) return invalid_parameter("group_limit", bad_data("group_limit needs to be greater than 0"));
  filter.group_limit = static_cast<std::size_t>(*number);
  return {};
}

Result<RuleFilter> read_filter(const FormFields& form) {
  RuleFilter filter;
  for (const std::string_view selector : form.all("match[]")) {
    auto matchers = parse_metric_selector(selector);
    if (!matchers.ok()) return matchers.error();
    filter.matcher_sets.push_back(std::move(*matchers));
  }
  const std::string type = lower(form.get("type"));
  if (!type.empty() && type != "alert" && type != "record") {
    std::string message = "not supported value ";
    append_quoted(message, type);
    return invalid_parameter("type", bad_data(std::move(message)));
  }
  filter.alerting = type != "record";
  filter.recording = type != "alert";
  if (!form.get("exclude_alerts").empty()) {
    const auto exclude = parse_boolean(form.get("exclude_alerts"));
    if (!exclude.ok()) {
      return invalid_parameter("exclude_alerts",
                               bad_data("error converting exclude_alerts: " + exclude.error().message));
    }
    filter.with_alerts = !*exclude;
  }
  filter.names = form.all("rule_name[]");
  filter.groups = form.all("rule_group[]");
  filter.files = form.all("file[]");
  if (const Status pages = read_pages(form, filter); !pages.ok()) return pages.error();
  return filter;
}

// ---- writing ---------------------------------------------------------------------------------------------------

/// By what a page begins: the SHA-1 of file and name.
std::string group_token(const RuleGroup& group) {
  const std::string text = group.file() + ";" + group.name();
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  std::string token;
  for (unsigned i = 0; i < size; ++i) {
    token += "0123456789abcdef"[digest[i] >> 4];
    token += "0123456789abcdef"[digest[i] & 15];
  }
  return token;
}

void append_label_list(std::string& out, const std::vector<Label>& labels) {
  out.push_back('{');
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_json_string(out, labels[i].name);
    out.push_back(':');
    append_json_string(out, labels[i].value);
  }
  out.push_back('}');
}

/// What never was is Go's first moment.
void append_time(std::string& out, TimestampMs time) {
  out += '"';
  out += time == kMinTimestamp ? "0001-01-01T00:00:00Z" : format_rfc3339(time);
  out += '"';
}

/// `1e+00`: shortest digits with an exponent.
void append_exponent_form(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
    out.append(buffer, end);
  }
}

void append_alert(std::string& out, const Labels& labels, const Alert& alert) {
  out.append(R"({"labels":)");
  append_json_labels(out, labels);
  out.append(R"(,"annotations":)");
  append_label_list(out, alert.annotations);
  out.append(R"(,"state":")").append(alert_state_name(alert.state)).append(R"(","activeAt":)");
  append_time(out, alert.active_at);
  if (alert.keep_firing_since != kNever) {
    out.append(R"(,"keepFiringSince":)");
    append_time(out, alert.keep_firing_since);
  }
  out.append(R"(,"value":")");
  append_exponent_form(out, alert.value);
  out.append("\"}");
}

void append_alerts(std::string& out, const AlertingRule& rule) {
  bool first = true;
  for (const auto& [labels, alert] : rule.active()) {
    if (!std::exchange(first, false)) out.push_back(',');
    append_alert(out, labels, alert);
  }
}

void append_alerting(std::string& out, const AlertingRule& rule, const RuleStatus& status, bool with_alerts) {
  const RuleConfig& config = rule.config();
  const bool known = status.last_evaluation != kMinTimestamp;
  out.append(R"("state":")").append(known ? alert_state_name(rule.state()) : "unknown").append(R"(","name":)");
  append_json_string(out, config.name);
  out.append(R"(,"query":)");
  append_json_string(out, rule.config().expression);
  out.append(R"(,"duration":)");
  append_json_number(out, static_cast<double>(config.hold) / 1000);
  out.append(R"(,"keepFiringFor":)");
  append_json_number(out, static_cast<double>(config.keep_firing) / 1000);
  out.append(R"(,"labels":)");
  append_label_list(out, config.labels);
  out.append(R"(,"annotations":)");
  append_label_list(out, config.annotations);
  out.append(R"(,"alerts":[)");
  if (with_alerts) append_alerts(out, rule);
  out.append("],");
}

void append_recording(std::string& out, const Rule& rule) {
  out.append(R"("name":)");
  append_json_string(out, rule.config().name);
  out.append(R"(,"query":)");
  append_json_string(out, rule.config().expression);
  out.push_back(',');
  if (rule.config().labels.empty()) return;
  out.append(R"("labels":)");
  append_label_list(out, rule.config().labels);
  out.push_back(',');
}

void append_rule(std::string& out, const Rule& rule, bool with_alerts) {
  static constexpr const char* kHealth[] = {"unknown", "ok", "err"};
  const RuleStatus status = rule.status();
  out.push_back('{');
  if (const auto* alerting = dynamic_cast<const AlertingRule*>(&rule)) {
    append_alerting(out, *alerting, status, with_alerts);
  } else {
    append_recording(out, rule);
  }
  out.append(R"("health":")").append(kHealth[static_cast<int>(status.health)]).append("\",");
  if (!status.last_error.empty()) {
    out.append(R"("lastError":)");
    append_json_string(out, status.last_error);
    out.push_back(',');
  }
  out.append(R"("evaluationTime":)");
  append_json_number(out, status.evaluation_seconds);
  out.append(R"(,"lastEvaluation":)");
  append_time(out, status.last_evaluation);
  out.append(rule.config().alerting ? R"(,"type":"alerting"})" : R"(,"type":"recording"})");
}

/// False when no rule of the group is wanted; nothing is appended then.
bool append_group(std::string& out, const RuleGroup& group, const RuleFilter& filter) {
  const std::size_t before = out.size();
  out.append(R"({"name":)");
  append_json_string(out, group.name());
  out.append(R"(,"file":)");
  append_json_string(out, group.file());
  out.append(R"(,"rules":[)");
  bool first = true;
  for (const auto& rule : group.rules()) {
    if (!filter.wants(*rule)) continue;
    if (!std::exchange(first, false)) out.push_back(',');
    append_rule(out, *rule, filter.with_alerts);
  }
  if (first) {
    out.resize(before);
    return false;
  }
  out.append(R"(],"interval":)");
  append_json_number(out, static_cast<double>(group.interval()) / 1000);
  out.append(R"(,"limit":)").append(std::to_string(group.limit())).append(R"(,"evaluationTime":)");
  append_json_number(out, group.last_duration_seconds());
  out.append(R"(,"lastEvaluation":)");
  append_time(out, group.last_evaluation());
  out.push_back('}');
  return true;
}

}  // namespace

HttpResponse handle_rules(const ServerContext& context, const HttpRequest& request) {
  const auto filter = read_filter(request.form);
  if (!filter.ok()) return api_error(filter.error());
  std::string data = R"({"groups":[)";
  std::string next_token;
  bool begun = filter->next_token.empty();
  std::size_t count = 0;
  if (context.rules != nullptr) {
    for (const auto& group : context.rules->groups()) {
      if (!filter->wants(*group)) continue;
      begun = begun || group_token(*group) == filter->next_token;
      if (!begun) continue;
      const std::size_t before = data.size();
      if (count > 0) data.push_back(',');
      if (!append_group(data, *group, *filter)) {
        data.resize(before);
      } else if (filter->group_limit > 0 && count == filter->group_limit) {
        data.resize(before);
        next_token = group_token(*group);
        break;
      } else {
        ++count;
      }
    }
  }
  if (!begun) {
    return api_error(
        bad_data("invalid group_next_token '" + std::string(filter->next_token) + "'. were rule groups changed?"));
  }
  data.push_back(']');
  if (!next_token.empty()) data.append(R"(,"groupNextToken":")").append(next_token).append("\"");
  data.push_back('}');
  return api_success(data);
}

HttpResponse handle_alerts(const ServerContext& context) {
  std::string data = R"({"alerts":[)";
  const std::size_t begin = data.size();
  if (context.rules != nullptr) {
    for (const auto& group : context.rules->groups()) {
      for (const auto& rule : group->rules()) {
        const auto* alerting = dynamic_cast<const AlertingRule*>(rule.get());
        if (alerting == nullptr) continue;
        const std::size_t before = data.size();
        if (before > begin) data.push_back(',');
        const std::size_t own = data.size();
        append_alerts(data, *alerting);
        if (data.size() == own) data.resize(before);
      }
    }
  }
  data.append("]}");
  return api_success(data);
}

HttpResponse handle_alertmanagers(const ServerContext& context) {
  AlertSender::Urls urls = context.alerts == nullptr ? AlertSender::Urls() : context.alerts->urls();
  if (context.delivery != nullptr) urls.active.insert(urls.active.begin(), context.delivery_url + "/api/v2/alerts");
  std::string data = R"({"activeAlertmanagers":[)";
  const auto append = [&data](const std::vector<std::string>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      data.append(i > 0 ? R"(,{"url":)" : R"({"url":)");
      append_json_string(data, list[i]);
      data.push_back('}');
    }
  };
  append(urls.active);
  data.append(R"(],"droppedAlertmanagers":[)");
  append(urls.dropped);
  data.append("]}");
  return api_success(data);
}

}  // namespace pipit
