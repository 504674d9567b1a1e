#include "tools/query_answer.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace pipit {
namespace {

// Ordered, so that -o json shows the members in the server's order.
using Json = nlohmann::ordered_json;

constexpr auto kReplaceBadUtf8 = Json::error_handler_t::replace;

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() ? nullptr : &*it;
}

std::string text_member(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value && value->is_string() ? value->get<std::string>() : std::string();
}

std::vector<std::string> text_list(const Json& object, const char* name) {
  std::vector<std::string> out;
  if (const Json* list = member(object, name); list && list->is_array()) {
    for (const Json& entry : *list) {
      if (entry.is_string()) out.push_back(entry.get<std::string>());
    }
  }
  return out;
}

/// `[seconds, value]`.
std::optional<AnswerPoint> read_point(const Json& pair, bool is_histogram) {
  if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number()) return std::nullopt;
  const double ms = pair[0].get<double>() * 1000;
  if (!(std::abs(ms) < 9e18)) return std::nullopt;
  AnswerPoint point{std::llround(ms), {}, is_histogram};
  if (is_histogram) {
    point.value = pair[1].dump(-1, ' ', false, kReplaceBadUtf8);
  } else if (pair[1].is_string()) {
    point.value = pair[1].get<std::string>();
  } else {
    return std::nullopt;
  }
  return point;
}

bool read_points(const Json& list, bool is_histogram, std::vector<AnswerPoint>& out) {
  if (!list.is_array()) return false;
  out.reserve(out.size() + list.size());
  for (const Json& pair : list) {
    std::optional<AnswerPoint> point = read_point(pair, is_histogram);
    if (!point) return false;
    out.push_back(std::move(*point));
  }
  return true;
}

bool read_series(const Json& json, AnswerSeries& out) {
  const Json* metric = member(json, "metric");
  if (!metric || !metric->is_object()) return false;
  std::vector<Label> labels;
  for (const auto& [name, value] : metric->items()) {
    if (!value.is_string()) return false;
    labels.push_back({name, value.get<std::string>()});
  }
  out.labels = Labels(std::move(labels));
  for (const bool is_histogram : {false, true}) {
    if (const Json* one = member(json, is_histogram ? "histogram" : "value")) {
      std::optional<AnswerPoint> point = read_point(*one, is_histogram);
      if (!point) return false;
      out.points.push_back(std::move(*point));
    }
    const Json* many = member(json, is_histogram ? "histograms" : "values");
    if (many && !read_points(*many, is_histogram, out.points)) return false;
  }
  return true;
}

bool read_data(const Json& data, QueryAnswer& answer) {
  const std::string type = text_member(data, "resultType");
  const Json* result = member(data, "result");
  if (!result || !result->is_array()) return false;
  if (type == "scalar" || type == "string") {
    std::optional<AnswerPoint> point = read_point(*result, false);
    if (!point) return false;
    answer.type = type == "scalar" ? AnswerType::scalar : AnswerType::string;
    answer.series.resize(1);
    answer.series[0].points.push_back(std::move(*point));
    return true;
  }
  if (type != "vector" && type != "matrix") return false;
  answer.type = type == "vector" ? AnswerType::vector : AnswerType::matrix;
  answer.series.resize(result->size());
  for (std::size_t i = 0; i < result->size(); ++i) {
    if (!read_series((*result)[i], answer.series[i])) return false;
  }
  return true;
}

}  // namespace

bool read_answer(int http_status, std::string_view body, bool keep_json, QueryAnswer& answer, AnswerError& error) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  const std::string status = text_member(json, "status");
  if (status == "error") {
    error = {true, text_member(json, "errorType"), text_member(json, "error")};
    return false;
  }
  error = {false, "",
           "answered with HTTP status " + std::to_string(http_status) + ", but not as Prometheus's API does"};
  const Json* data = member(json, "data");
  if (status != "success" || !data) return false;
  answer.warnings = text_list(json, "warnings");
  answer.infos = text_list(json, "infos");
  if (keep_json) {
    answer.data_json = data->dump(-1, ' ', false, kReplaceBadUtf8);
    return true;
  }
  return read_data(*data, answer);
}

}  // namespace pipit
