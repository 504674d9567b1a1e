#include "api/query_handlers.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/api_answer.h"
#include "api/api_parameters.h"
#include "api/expression_json.h"
#include "api/json_writer.h"
#include "api/label_name_escaping.h"
#include "model/duration.h"
#include "model/labels.h"
#include "query/parser.h"
#include "query/query_profile.h"

namespace pipit {
namespace {

constexpr std::string_view kTruncated = "results truncated due to limit";

/// `timeout` and `lookback_delta`.
Status read_query_options(const FormFields& form, QueryRequest& query) {
  if (std::string_view text = form.get("timeout"); !text.empty()) {
    auto timeout = parse_api_duration(text);
    if (!timeout.ok()) return invalid_parameter("timeout", timeout.error());
    if (*timeout <= 0) return Error{ErrorKind::timeout, "query timed out in expression evaluation"};
    query.timeout = *timeout;
  }
  if (std::string_view text = form.get("lookback_delta"); !text.empty()) {
    auto lookback = parse_api_duration(text);
    if (!lookback.ok()) return bad_data("error parsing lookback delta duration: " + lookback.error().message);
    query.lookback_delta = std::max<DurationMs>(*lookback, 0);
  }
  return {};
}

void append_plan(std::string& out, const PlanNode& node) {
  const auto count = [&out](std::string_view name, std::uint64_t value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
  };
  out.append(R"({"node":)");
  append_json_string(out, node.text);
  count("series", node.series);
  count("samples", node.samples);
  count("samplesRead", node.samples_read);
  out.append(R"(,"seconds":)");
  append_json_number(out, std::chrono::duration<double>(node.time).count());
  out.append(R"(,"inputs":[)");
  for (const auto& input : node.inputs) {
    if (out.back() != '[') out.push_back(',');
    append_plan(out, *input);
  }
  out.append("]}");
}

/// Instead of the answer: its plan, how many series it has, and the stats.
HttpResponse explain(const QueryResult& result) {
  std::string data = R"({"plan":)";
  if (result.plan) {
    append_plan(data, *result.plan);
  } else {
    data += "null";
  }
  data.append(R"(,"series":)").append(std::to_string(result.series.size())).append(R"(,"stats":)");
  append_json_stats(data, result.stats);
  data += '}';
  return api_success(data, result.warnings, result.infos);
}

/// What is asked for beside the answer: a value other than "", "0" and "false".
bool is_wanted(std::string_view value) { return !value.empty() && value != "0" && value != "false"; }

HttpResponse run_query(const ServerContext& context, QueryRequest query, const FormFields& form, std::size_t limit) {
  query.explain = is_wanted(form.get("explain"));
  auto result = context.engine.query(query);
  if (!result.ok()) {
    const Error& error = result.error();
    return api_error(error.kind == ErrorKind::bad_data ? invalid_parameter("query", error) : error);
  }
  if (query.explain) return explain(*result);
  bool limited = result->type == ResultType::vector || result->type == ResultType::matrix;
  if (limited && limit > 0 && result->series.size() > limit) {
    result->series.resize(limit);
    result->warnings.emplace_back(kTruncated);
  }
  HttpResponse response;
  response.content_type = "application/json";
  response.rest = query_result_body(std::move(*result), !form.get("stats").empty());
  return response;
}

/// Asks for one element more than the limit, which tells whether any was left out.
std::size_t limit_to_ask(std::size_t limit) { return limit == 0 ? 0 : limit + 1; }

template <class T>
std::vector<std::string> truncate(std::vector<T>& elements, std::size_t limit) {
  if (limit == 0 || elements.size() <= limit) return {};
  elements.resize(limit);
  return {std::string(kTruncated)};
}

HttpResponse answer_strings(std::vector<std::string> texts, std::size_t limit) {
  auto warnings = truncate(texts, limit);
  std::size_t count = texts.size();
  auto shared = std::make_shared<const std::vector<std::string>>(std::move(texts));
  auto write = [shared](std::size_t i, std::string& out) { append_json_string(out, (*shared)[i]); };
  return api_elements("[]", count, write, warnings);
}

}  // namespace

HttpResponse handle_query(const ServerContext& context, const HttpRequest& request) {
  const FormFields& form = request.form;
  auto limit = limit_parameter(form);
  if (!limit.ok()) return api_error(limit.error());
  auto time = time_parameter(form, "time", now_ms());
  if (!time.ok()) return api_error(time.error());

  QueryRequest query;
  query.expr = form.get("query");
  query.start = query.end = *time;
  query.canceled = request.canceled;
  if (auto status = read_query_options(form, query); !status.ok()) return api_error(status.error());
  return run_query(context, std::move(query), form, *limit);
}

HttpResponse handle_query_range(const ServerContext& context, const HttpRequest& request) {
  const FormFields& form = request.form;
  auto limit = limit_parameter(form);
  if (!limit.ok()) return api_error(limit.error());
  auto start = required_time_parameter(form, "start");
  if (!start.ok()) return api_error(start.error());
  auto end = required_time_parameter(form, "end");
  if (!end.ok()) return api_error(end.error());
  if (*end < *start) {
    return api_error(invalid_parameter("end", bad_data("end timestamp must not be before start time")));
  }
  auto step = parse_api_duration(form.get("step"));
  if (!step.ok()) return api_error(invalid_parameter("step", step.error()));
  if (*step <= 0) {
    return api_error(invalid_parameter(
        "step", bad_data("zero or negative query resolution step widths are not accepted. Try a positive integer")));
  }
  // The difference of two far-away times does not fit the type that holds each.
  auto length = static_cast<std::uint64_t>(*end) - static_cast<std::uint64_t>(*start);
  if (length / static_cast<std::uint64_t>(*step) > static_cast<std::uint64_t>(Engine::kMaxPointsPerSeries)) {
    return api_error(bad_data(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"));
  }

  QueryRequest query;
  query.expr = form.get("query");
  query.start = *start;
  query.end = *end;
  query.step = *step;
  query.canceled = request.canceled;
  if (auto status = read_query_options(form, query); !status.ok()) return api_error(status.error());
  return run_query(context, std::move(query), form, *limit);
}

HttpResponse handle_format_query(const ServerContext&, const HttpRequest& request) {
  auto expr = parse_query(request.form.get("query"));
  if (!expr.ok()) return api_error(invalid_parameter("query", expr.error()));
  std::string data;
  append_json_string(data, prettify(**expr));
  return api_success(data);
}

HttpResponse handle_parse_query(const ServerContext&, const HttpRequest& request) {
  auto expr = parse_query(request.form.get("query"));
  if (!expr.ok()) return api_error(invalid_parameter("query", expr.error()));
  std::string data;
  append_json_expression(data, **expr);
  return api_success(data);
}

HttpResponse handle_labels(const ServerContext& context, const HttpRequest& request) {
  auto selection = series_selection(request.form);
  if (!selection.ok()) return api_error(selection.error());
  auto names = context.source.label_names(selection->matcher_sets, selection->start, selection->end,
                                          limit_to_ask(selection->limit));
  if (!names.ok()) return api_error(names.error());
  return answer_strings(std::move(*names), selection->limit);
}

HttpResponse handle_label_values(const ServerContext& context, const HttpRequest& request, std::string_view name) {
  std::string label = unescape_label_name(name);
  if (label.empty() || !is_valid_utf8(label)) {
    std::string message = "invalid label name: ";
    append_quoted(message, label);
    return api_error(bad_data(std::move(message)));
  }
  auto selection = series_selection(request.form);
  if (!selection.ok()) return api_error(selection.error());
  auto values = context.source.label_values(label, selection->matcher_sets, selection->start, selection->end,
                                            limit_to_ask(selection->limit));
  if (!values.ok()) return api_error(values.error());
  return answer_strings(std::move(*values), selection->limit);
}

HttpResponse handle_series(const ServerContext& context, const HttpRequest& request) {
  if (request.form.all("match[]").empty()) return api_error(bad_data("no match[] parameter provided"));
  auto selection = series_selection(request.form);
  if (!selection.ok()) return api_error(selection.error());
  auto series =
      context.source.series(selection->matcher_sets, selection->start, selection->end, limit_to_ask(selection->limit));
  if (!series.ok()) return api_error(series.error());
  auto warnings = truncate(*series, selection->limit);
  std::size_t count = series->size();
  auto shared = std::make_shared<const std::vector<Labels>>(std::move(*series));
  auto write = [shared](std::size_t i, std::string& out) { append_json_labels(out, (*shared)[i]); };
  return api_elements("[]", count, write, warnings);
}

}  // namespace pipit
