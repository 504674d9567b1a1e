// Source of codes and wordings: Alertmanager 0.25, its openapi.yaml and what it answers.

#include "api/delivery_answer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/api_answer.h"
#include "api/json_writer.h"
#include "config/json_depth.h"
#include "delivery/matcher_syntax.h"
#include "model/duration.h"

namespace pipit {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::string_view kJsonType = "application/json";
constexpr TimestampMs kGoZeroTime = -62'135'596'800'000;

bool is_json_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return std::equal(
      content_type.begin(), content_type.end(), kJsonType.begin(), kJsonType.end(),
      [](char given, char wanted) { return (given >= 'A' && given <= 'Z' ? given + 32 : given) == wanted; });
}

/// A time as RFC 3339 has it, of one in one of the forms that Alertmanager's API takes beside: without a zone, which is
/// UTC then, without seconds, with a blank in place of the T. `2026-11-23T09:00` is what scripts write without thought.
std::string with_zone_and_seconds(std::string_view text) {
  constexpr std::size_t kMinutes = sizeof("2006-01-02T15:04") - 1;
  std::string time(text);
  if (time.size() < kMinutes) return time;
  const std::size_t zone = time.find_first_of("Zz+-", kMinutes);
  if (zone == std::string::npos) {
    if (time[10] == ' ') time[10] = 'T';
    time += 'Z';
  }
  if (time[kMinutes] != ':') time.insert(kMinutes, ":00");
  return time;
}

}  // namespace

HttpResponse json_answer(std::string body) {
  HttpResponse response = text_answer(200, std::move(body));
  response.content_type = "application/json";
  return response;
}

HttpResponse coded_answer(int status, int code, std::string_view message) {
  HttpResponse response = json_answer(R"({"code":)" + std::to_string(code) + R"(,"message":)");
  append_json_string(response.body, message);
  response.body.push_back('}');
  response.status = status;
  return response;
}

HttpResponse message_answer(int status, std::string_view message) {
  HttpResponse response = json_answer("");
  append_json_string(response.body, message);
  response.status = status;
  return response;
}

JsonBody read_json_body(const HttpRequest& request, std::string_view what, std::size_t limit) {
  JsonBody read;
  if (!is_json_type(request.content_type)) {
    std::string message = "unsupported media type ";
    append_quoted(message, std::string_view(request.content_type).substr(0, 200));
    read.refusal = coded_answer(415, 415, message + ", only [application/json] are allowed");
    return read;
  }
  if (!request.content_encoding.empty() && request.content_encoding != "identity") {
    read.refusal = coded_answer(415, 415, "a body with a Content-Encoding is not read");
    return read;
  }
  if (request.body.empty()) {
    read.refusal = coded_answer(422, kRequired, std::string(what) + " in body is required");
    return read;
  }
  if (request.body.size() > limit) {
    read.refusal = coded_answer(413, 413, "a body has " + std::to_string(limit) + " bytes at most");
    return read;
  }
  const auto refuse = [&](std::string_view why) {
    const std::string message = "parsing " + std::string(what) + " body from \"\" failed, because ";
    read.refusal = coded_answer(400, 400, message + std::string(why));
  };
  if (nests_deeper_than(request.body, kMaxDepth)) {
    refuse("it nests too deep");
    return read;
  }
  auto json = std::make_unique<nlohmann::json>(nlohmann::json::parse(request.body, nullptr, false));
  if (json->is_discarded()) {
    refuse("it is not valid JSON");
  } else if (json->is_null()) {
    read.refusal = coded_answer(422, kRequired, std::string(what) + " in body is required");
  } else {
    read.json = std::move(json);
  }
  return read;
}

Result<TimestampMs> parse_json_time(std::string_view text) {
  if (text.empty()) return TimestampMs{0};
  const std::string full = with_zone_and_seconds(text);
  // Seconds since the epoch, which the API of Prometheus takes, are no time here.
  const auto time = full.find('T') == std::string::npos ? Result<TimestampMs>(bad_data("")) : parse_api_time(full);
  if (!time.ok()) {
    std::string message = "parsing time ";
    append_quoted(message, text.substr(0, 100));
    return bad_data(message + ": it is not of the form 2006-01-02T15:04:05Z");
  }
  return *time == kGoZeroTime ? TimestampMs{0} : *time;
}

Result<std::vector<Matcher>> filter_parameter(const FormFields& form) {
  std::vector<Matcher> matchers;
  for (const std::string_view text : form.all("filter")) {
    auto matcher = parse_alert_matcher(text);
    if (!matcher.ok()) return matcher.error();
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

bool switch_parameter(const FormFields& form, std::string_view name) {
  static constexpr std::array<std::string_view, 11> kOn = {"true",     "1",       "yes", "ok",      "y", "on",
                                                           "selected", "checked", "t",   "enabled", ""};
  std::string text(form.get(name));
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(kOn.begin(), kOn.end(), text) != kOn.end();
}

}  // namespace pipit
