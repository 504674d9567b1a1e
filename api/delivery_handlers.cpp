// Source of paths, members and order: Alertmanager 0.28, api/v2/openapi.yaml. Answers were compared with 0.25.

#include "api/delivery_handlers.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/delivery_answer.h"
#include "api/json_writer.h"
#include "model/duration.h"

namespace pipit {
namespace {

using nlohmann::json;

/// The version whose API and configuration this is, which clients look at.
constexpr std::string_view kAlertmanagerVersion = "0.28.0";
/// Of alerts that are posted. Prometheus sends 256 at once.
constexpr std::size_t kMaxAlertsBody = 2u << 20;

// ---- reading ---------------------------------------------------------------------------------------------------

/// What a caller wants to see.
struct AlertFilter {
  bool active = true;
  bool silenced = true;
  bool inhibited = true;
  bool muted = true;
  std::vector<Matcher> matchers;
  std::optional<Regex> receiver;

  bool wants(const AlertView& view, TimestampMs now) const {
    if (view.alert->resolved_at(now)) return false;
    const bool suppressed = !view.silenced_by.empty() || !view.inhibited_by.empty() || !view.muted_by.empty();
    if (!active && !suppressed) return false;
    if (!silenced && !view.silenced_by.empty()) return false;
    if (!inhibited && !view.inhibited_by.empty()) return false;
    if (!muted && !view.muted_by.empty()) return false;
    return std::all_of(matchers.begin(), matchers.end(),
                       [&](const Matcher& m) { return m.matches(view.alert->labels.get(m.name())); });
  }
  bool wants_receiver(const std::vector<std::string>& names) const {
    return !receiver ||
           std::any_of(names.begin(), names.end(), [&](const std::string& name) { return receiver->full_match(name); });
  }
};

Result<AlertFilter> read_filter(const FormFields& form) {
  AlertFilter filter;
  auto matchers = filter_parameter(form);
  if (!matchers.ok()) return matchers.error();
  filter.matchers = std::move(*matchers);
  if (const std::string_view receiver = form.get("receiver"); !receiver.empty()) {
    auto regex = Regex::compile(receiver);
    if (!regex.ok()) return bad_data("failed to parse receiver param: " + regex.error().message);
    filter.receiver = std::move(*regex);
  }
  filter.active = switch_parameter(form, "active");
  filter.silenced = switch_parameter(form, "silenced");
  filter.inhibited = switch_parameter(form, "inhibited");
  filter.muted = switch_parameter(form, "muted");
  return filter;
}

/// A map of texts. Errors name the member.
Result<std::vector<Label>> read_texts(const json& alert, const char* member) {
  std::vector<Label> texts;
  const auto found = alert.find(member);
  if (found == alert.end() || found->is_null()) return texts;
  if (!found->is_object()) return bad_data(std::string(member) + " is no object");
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string()) return bad_data("a value of " + std::string(member) + " is no string");
    texts.push_back({name, value.get<std::string>()});
  }
  return texts;
}

Result<TimestampMs> read_time(const json& object, const char* member) {
  const auto found = object.find(member);
  if (found == object.end() || found->is_null()) return TimestampMs{0};
  if (!found->is_string()) return bad_data(std::string(member) + " is no string");
  return parse_json_time(found->get_ref<const std::string&>());
}

bool is_uri(std::string_view text) {
  if (text.empty() || text.front() == '/') return true;
  const std::size_t colon = text.find(':');
  const std::string_view scheme = text.substr(0, std::min(colon, text.size()));
  return colon != std::string_view::npos && colon > 0 && std::all_of(scheme.begin(), scheme.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
                  c == '.';
         });
}

/// An alert of the body as it stands; errors are of its shape.
Result<AlertNotice> read_alert(const json& alert) {
  AlertNotice notice;
  auto labels = read_texts(alert, "labels");
  if (!labels.ok()) return labels.error();
  notice.labels = Labels(std::move(*labels));
  auto annotations = read_texts(alert, "annotations");
  if (!annotations.ok()) return annotations.error();
  notice.annotations = std::move(*annotations);
  std::sort(notice.annotations.begin(), notice.annotations.end());
  const auto start = read_time(alert, "startsAt");
  const auto end = read_time(alert, "endsAt");
  if (!start.ok() || !end.ok()) return start.ok() ? end.error() : start.error();
  notice.starts_at = *start;
  notice.ends_at = *end;
  if (const auto url = alert.find("generatorURL"); url != alert.end() && !url->is_null()) {
    if (!url->is_string()) return bad_data("generatorURL is no string");
    notice.generator_url = url->get<std::string>();
  }
  return notice;
}

/// What is wrong with an alert of the right shape, as Alertmanager words it; "" when nothing is.
std::string fault(const AlertNotice& notice) {
  const auto bad_name = [](const auto& labels) -> const std::string* {
    for (const Label& label : labels) {
      if (label.name.empty()) return &label.name;
    }
    return nullptr;
  };
  for (const auto& [set, name] :
       {std::pair{"label", bad_name(notice.labels)}, std::pair{"annotation", bad_name(notice.annotations)}}) {
    if (name == nullptr) continue;
    std::string message = "invalid " + std::string(set) + " set: invalid name ";
    append_quoted(message, *name);
    return message;
  }
  if (notice.labels.empty()) return "at least one label pair required";
  if (notice.ends_at != 0 && notice.ends_at < notice.starts_at) return "start time must be before end time";
  return "";
}

// ---- writing ---------------------------------------------------------------------------------------------------

void append_list(std::string& out, const std::vector<std::string>& texts) {
  out.push_back('[');
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_json_string(out, texts[i]);
  }
  out.push_back(']');
}

void append_receivers(std::string& out, const std::vector<std::string>& names) {
  out.push_back('[');
  for (std::size_t i = 0; i < names.size(); ++i) {
    out.append(i > 0 ? R"(,{"name":)" : R"({"name":)");
    append_json_string(out, names[i]);
    out.push_back('}');
  }
  out.push_back(']');
}

void append_alert(std::string& out, const AlertView& view) {
  const DeliveredAlert& alert = *view.alert;
  out.append(R"({"annotations":{)");
  for (std::size_t i = 0; i < alert.annotations.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_json_string(out, alert.annotations[i].name);
    out.push_back(':');
    append_json_string(out, alert.annotations[i].value);
  }
  char fingerprint[20];
  std::snprintf(fingerprint, sizeof fingerprint, "%016llx",
                static_cast<unsigned long long>(alert_fingerprint(alert.labels)));
  out.append(R"(},"endsAt":")").append(format_rfc3339(alert.ends_at));
  out.append(R"(","fingerprint":")").append(fingerprint).append(R"(","receivers":)");
  append_receivers(out, view.receivers);
  out.append(R"(,"startsAt":")").append(format_rfc3339(alert.starts_at)).append(R"(","status":{"inhibitedBy":)");
  append_list(out, view.inhibited_by);
  out.append(R"(,"mutedBy":)");
  append_list(out, view.muted_by);
  out.append(R"(,"silencedBy":)");
  append_list(out, view.silenced_by);
  const bool suppressed = !view.silenced_by.empty() || !view.inhibited_by.empty() || !view.muted_by.empty();
  out.append(suppressed ? R"(,"state":"suppressed"},"updatedAt":")" : R"(,"state":"active"},"updatedAt":")");
  out.append(format_rfc3339(alert.updated_at)).push_back('"');
  if (!alert.generator_url.empty()) {
    out.append(R"(,"generatorURL":)");
    append_json_string(out, alert.generator_url);
  }
  out.append(R"(,"labels":)");
  append_json_labels(out, alert.labels);
  out.push_back('}');
}

void sort_by_fingerprint(std::vector<AlertView>& views) {
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  order.reserve(views.size());
  for (std::size_t i = 0; i < views.size(); ++i) order.emplace_back(alert_fingerprint(views[i].alert->labels), i);
  std::sort(order.begin(), order.end());
  std::vector<AlertView> sorted;
  sorted.reserve(views.size());
  for (const auto& [fingerprint, i] : order) sorted.push_back(std::move(views[i]));
  views = std::move(sorted);
}

}  // namespace

HttpResponse handle_no_delivery() {
  return coded_answer(404, 404, "nothing is delivered here; start Pipit with --alertmanager.config.file");
}

HttpResponse handle_unknown_delivery_path(std::string_view path) {
  return coded_answer(404, 404, "path " + std::string(path) + " was not found");
}

HttpResponse handle_wrong_delivery_method(std::string_view method, std::string_view allowed) {
  HttpResponse response = coded_answer(
      405, 405, "method " + std::string(method) + " is not allowed, but [" + std::string(allowed) + "] are");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

HttpResponse handle_delivery_status(const Delivery& delivery, std::string_view version) {
  std::string body = R"({"cluster":{"peers":[],"status":"disabled"},"config":{"original":)";
  append_json_string(body, delivery.config_text());
  body.append(R"(},"uptime":")").append(format_rfc3339(delivery.started_at()));
  body.append(R"(","versionInfo":{"branch":"","buildDate":"","buildUser":"","goVersion":"","revision":)");
  append_json_string(body, "pipit " + std::string(version));
  body.append(R"(,"version":")").append(kAlertmanagerVersion).append(R"("}})");
  return json_answer(std::move(body));
}

HttpResponse handle_receivers(const Delivery& delivery) {
  std::string body;
  append_receivers(body, delivery.receivers());
  return json_answer(std::move(body));
}

HttpResponse handle_delivered_alerts(const Delivery& delivery, const HttpRequest& request) {
  const auto filter = read_filter(request.form);
  if (!filter.ok()) return message_answer(400, filter.error().message);
  const TimestampMs now = now_ms();
  std::vector<AlertView> views = delivery.alerts();
  std::erase_if(views, [&](const AlertView& view) {
    return !filter->wants(view, now) || !filter->wants_receiver(view.receivers);
  });
  sort_by_fingerprint(views);
  std::string body = "[";
  for (const AlertView& view : views) {
    if (body.size() > 1) body.push_back(',');
    append_alert(body, view);
  }
  body.push_back(']');
  return json_answer(std::move(body));
}

HttpResponse handle_alert_groups(const Delivery& delivery, const HttpRequest& request) {
  const auto filter = read_filter(request.form);
  if (!filter.ok()) return message_answer(400, filter.error().message);
  const TimestampMs now = now_ms();
  std::vector<AlertGroupView> groups = delivery.groups();
  std::sort(groups.begin(), groups.end(), [](const AlertGroupView& a, const AlertGroupView& b) {
    return std::tie(a.labels, a.receiver) < std::tie(b.labels, b.receiver);
  });
  std::string body = "[";
  for (AlertGroupView& group : groups) {
    if (!filter->wants_receiver({group.receiver})) continue;
    std::erase_if(group.alerts, [&](const AlertView& view) { return !filter->wants(view, now); });
    if (group.alerts.empty()) continue;
    sort_by_fingerprint(group.alerts);
    body.append(body.size() > 1 ? R"(,{"alerts":[)" : R"({"alerts":[)");
    for (std::size_t i = 0; i < group.alerts.size(); ++i) {
      if (i > 0) body.push_back(',');
      append_alert(body, group.alerts[i]);
    }
    body.append(R"(],"labels":)");
    append_json_labels(body, group.labels);
    body.append(R"(,"receiver":{"name":)");
    append_json_string(body, group.receiver);
    body.append("}}");
  }
  body.push_back(']');
  return json_answer(std::move(body));
}

HttpResponse handle_post_alerts(Delivery& delivery, const HttpRequest& request) {
  JsonBody body = read_json_body(request, "alerts", kMaxAlertsBody);
  if (!body.json) return std::move(body.refusal);
  const auto refuse = [](const std::string& why) {
    return coded_answer(400, 400, "parsing alerts body from \"\" failed, because " + why);
  };
  if (!body.json->is_array()) return refuse("it is no array");
  std::vector<AlertNotice> notices;
  for (const json& alert : *body.json) {
    if (!alert.is_object()) return refuse("an alert is no object");
    auto notice = read_alert(alert);
    if (!notice.ok()) return refuse(notice.error().message);
    notices.push_back(std::move(*notice));
  }
  for (std::size_t i = 0; i < notices.size(); ++i) {
    const std::string place = std::to_string(i);
    if (!is_uri(notices[i].generator_url)) {
      std::string message = place + ".generatorURL in body must be of type uri: ";
      append_quoted(message, notices[i].generator_url);
      return coded_answer(422, kInvalidType, message);
    }
    const json& alert = (*body.json)[i];
    if (!alert.contains("labels") || alert["labels"].is_null()) {
      return coded_answer(422, kRequired, place + ".labels in body is required");
    }
  }

  // Those that are right are taken, also when others are not.
  const TimestampMs now = now_ms();
  std::string faults;
  std::vector<AlertNotice> taken;
  for (AlertNotice& notice : notices) {
    if (notice.starts_at == 0) notice.starts_at = notice.ends_at == 0 ? now : notice.ends_at;
    if (const std::string what = fault(notice); !what.empty()) {
      faults += (faults.empty() ? "" : "; ") + what;
    } else {
      taken.push_back(std::move(notice));
    }
  }
  if (!taken.empty()) delivery.send(std::move(taken));
  if (!faults.empty()) return message_answer(400, faults);
  HttpResponse response;
  response.content_type = "application/json";
  return response;
}

HttpResponse handle_integrations(const Delivery& delivery) {
  std::string body = "[";
  for (const IntegrationView& integration : delivery.integrations()) {
    body.append(body.size() > 1 ? R"(,{"receiver":)" : R"({"receiver":)");
    append_json_string(body, integration.receiver);
    body.append(R"(,"name":)");
    append_json_string(body, integration.kind);
    body.append(integration.send_resolved ? R"(,"sendResolved":true)" : R"(,"sendResolved":false)");
    if (integration.last_attempt != 0) {
      body.append(R"(,"lastNotifyAttempt":")").append(format_rfc3339(integration.last_attempt));
      body.append(R"(","lastNotifyAttemptDuration":")").append(format_duration(integration.last_duration)).append("\"");
    }
    body.append(R"(,"lastError":)");
    append_json_string(body, integration.last_error);
    body.push_back('}');
  }
  body.push_back(']');
  return json_answer(std::move(body));
}

}  // namespace pipit
