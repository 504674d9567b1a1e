#include "tools/query_suggestions.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/duration.h"
#include "query/function_table.h"
#include "tools/query_client.h"
#include "tools/query_output.h"

namespace pipit {
namespace {

using Json = nlohmann::json;

constexpr DurationMs kRemembered = 60'000;
constexpr DurationMs kPatience = 2'000;  // of who pressed the tab key
constexpr std::size_t kMostNames = 50'000;
constexpr std::size_t kMostQuestions = 100;

constexpr std::string_view kKeywords[] = {
    "and",        "atan2",       "avg",      "bool",        "bottomk", "by",   "count",  "count_values", "group",
    "group_left", "group_right", "ignoring", "limit_ratio", "limitk",  "max",  "min",    "offset",       "on",
    "or",         "quantile",    "stddev",   "stdvar",      "sum",     "topk", "unless", "without"};

/// Functions and operators that a server names in its features; Pipit's own of a server that names none.
std::vector<std::string> read_functions(const Json& answer) {
  std::vector<std::string> names(std::begin(kKeywords), std::end(kKeywords));
  const Json data = answer.is_object() ? answer.value("data", Json()) : Json();
  const Json functions = data.is_object() ? data.value("promql_functions", Json()) : Json();
  if (functions.is_object()) {
    for (const auto& [name, enabled] : functions.items()) {
      if (enabled.is_boolean() && enabled.get<bool>()) names.push_back(name);
    }
  } else {
    for (const FunctionSpec& function : all_functions()) names.emplace_back(function.name);
  }
  return names;
}

}  // namespace

std::vector<std::string> QuerySuggestions::find(const CompletionContext& context) {
  using Kind = CompletionContext::Kind;
  if (context.kind == Kind::nothing) return {};
  QueryOptions question = options_;
  question.kind = QueryKind::labels;
  question.limit = kMostNames;
  if (context.kind == Kind::name) question.expr = "__name__";
  if (context.kind == Kind::label_name) question.expr = "";
  if (context.kind == Kind::label_value) question.expr = context.label;
  if (!context.metric.empty()) question.matches = {context.metric};

  std::vector<std::string> found;
  const auto add = [&](const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (name.starts_with(context.word)) found.push_back(name);
    }
  };
  add(names_of(question));
  if (context.kind == Kind::name) add(functions());
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > kMost) found.resize(kMost);
  return found;
}

const std::vector<std::string>& QuerySuggestions::names_of(const QueryOptions& question) {
  const std::string key = question.expr + '\n' + (question.matches.empty() ? "" : question.matches[0]);
  if (known_.size() > kMostQuestions) known_.clear();
  Names& names = known_[key];
  const TimestampMs now = now_ms();
  if (names.read != 0 && now - names.read < kRemembered) return names.names;
  names.read = now;
  names.names.clear();
  QueryOptions patient = question;
  patient.timeout = std::min(question.timeout, kPatience);
  const auto reply = send_request(patient, api_request(patient));
  if (!reply) return names.names;
  const Json answer = Json::parse(reply->body, nullptr, /*allow_exceptions=*/false);
  const Json data = answer.is_object() ? answer.value("data", Json()) : Json();
  if (!data.is_array()) return names.names;
  for (const Json& name : data) {
    if (!name.is_string()) continue;
    // The terminal gets them as they are.
    std::string text = name.get<std::string>();
    if (printable(text) == text) names.names.push_back(std::move(text));
  }
  return names.names;
}

const std::vector<std::string>& QuerySuggestions::functions() {
  Names& names = known_["\n\n"];
  if (names.read != 0) return names.names;
  names.read = now_ms();
  QueryOptions patient = options_;
  patient.timeout = std::min(options_.timeout, kPatience);
  const auto reply = send_request(patient, {"/api/v1/features", {}, false});
  names.names = read_functions(reply ? Json::parse(reply->body, nullptr, false) : Json());
  return names.names;
}

}  // namespace pipit
