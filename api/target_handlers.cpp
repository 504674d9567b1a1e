// Source of parameters, errors and answers: Prometheus 3.14, web/api/v1/api.go.

#include "api/target_handlers.h"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/api_answer.h"
#include "api/api_parameters.h"
#include "api/json_writer.h"
#include "model/number.h"
#include "model/relabel.h"
#include "query/parser.h"
#include "scrape/target_metadata.h"
#include "storage/exemplar_store.h"

namespace pipit {
namespace {

constexpr std::string_view kActionNames[] = {"replace",  "keep",      "drop",      "keepequal", "dropequal", "hashmod",
                                             "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"};

/// `"type":...,"help":...,"unit":...`
void append_metadata(std::string& out, const Metadata& metadata) {
  out.append(R"("type":")").append(metric_type_name(metadata.type)).append(R"(","help":)");
  append_json_string(out, metadata.help);
  out.append(R"(,"unit":)");
  append_json_string(out, metadata.unit);
}

bool matches(const Labels& labels, const std::vector<Matcher>& matchers) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& matcher) { return matcher.matches(labels.get(matcher.name())); });
}

/// The labels of `{"a": "b"}`.
Result<Labels> parse_labels(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return bad_data("error parsing labels: not a JSON object");
  std::vector<Label> labels;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) return bad_data("error parsing labels: the value of " + name + " is not a string");
    labels.push_back({name, value.get<std::string>()});
  }
  return Labels(std::move(labels));
}

void append_text_field(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, name);
  out.push_back(':');
  append_json_string(out, value);
}

void append_rule(std::string& out, const RelabelConfig& rule) {
  out.push_back('{');
  if (!rule.source_labels.empty()) {
    out.append(R"("sourceLabels":[)");
    for (std::size_t i = 0; i < rule.source_labels.size(); ++i) {
      if (i > 0) out.push_back(',');
      append_json_string(out, rule.source_labels[i]);
    }
    out.push_back(']');
  }
  append_text_field(out, "separator", rule.separator);
  append_text_field(out, "regex", rule.regex.pattern());
  if (rule.modulus != 0) out.append(R"(,"modulus":)").append(std::to_string(rule.modulus));
  append_text_field(out, "targetLabel", rule.target_label);
  append_text_field(out, "replacement", rule.replacement);
  append_text_field(out, "action", kActionNames[static_cast<std::size_t>(rule.action)]);
  out.push_back('}');
}

void collect_selectors(const Expr& expr, std::vector<std::vector<Matcher>>& selectors) {
  if (const auto* selector = expr.as<VectorSelector>()) selectors.push_back(selector->matchers);
  for_each_child(expr, [&](const Expr& child) { collect_selectors(child, selectors); });
}

void append_exemplars(std::string& out, const SeriesExemplars& series) {
  out.append(R"({"seriesLabels":)");
  append_json_labels(out, series.series);
  out.append(R"(,"exemplars":[)");
  for (std::size_t i = 0; i < series.exemplars.size(); ++i) {
    const Exemplar& exemplar = series.exemplars[i];
    if (i > 0) out.push_back(',');
    out.append(R"({"labels":)");
    append_json_labels(out, exemplar.labels);
    out.append(R"(,"value":")");
    append_api_float(out, exemplar.value);
    out.append(R"(","timestamp":)");
    append_json_time(out, exemplar.time);
    out.push_back('}');
  }
  out.append("]}");
}

}  // namespace

MetadataByMetric live_metadata(const ScrapeManager& scraping, const std::string& metric, long per_metric) {
  MetadataByMetric found;
  MetadataReader reader(metric);
  scraping.visit_pages([&](const Labels&, const SeriesCache& page) {
    for (FamilyMetadata& family : reader.read_unseen(page)) {
      auto& statements = found[std::move(family.metric)];
      if (per_metric > 0 && statements.size() >= static_cast<std::size_t>(per_metric)) continue;
      if (std::find(statements.begin(), statements.end(), family.metadata) != statements.end()) continue;
      statements.push_back(std::move(family.metadata));
    }
    return true;
  });
  return found;
}

HttpResponse handle_metadata(const ServerContext& context, const HttpRequest& request) {
  const auto limit = number_parameter(request.form, "limit");
  if (!limit.ok()) return api_error(limit.error());
  const auto per_metric = number_parameter(request.form, "limit_per_metric");
  if (!per_metric.ok()) return api_error(per_metric.error());

  const std::string metric(request.form.get("metric"));
  MetadataByMetric found;
  if (context.scraping != nullptr) found = live_metadata(*context.scraping, metric, *per_metric);
  auto remembered = context.source.metadata(metric, 0);
  if (!remembered.ok()) return api_error(remembered.error());
  for (MetricMetadata& entry : *remembered) {
    auto& statements = found[std::move(entry.metric)];
    if (statements.empty()) statements.push_back(std::move(entry.metadata));
  }
  while (*limit >= 0 && found.size() > static_cast<std::size_t>(*limit)) found.erase(std::prev(found.end()));

  auto entries = std::make_shared<std::vector<MetadataByMetric::value_type>>(found.begin(), found.end());
  return api_elements("{}", entries->size(), [entries](std::size_t i, std::string& out) {
    const auto& [name, statements] = (*entries)[i];
    append_json_string(out, name);
    out.append(":[");
    for (std::size_t k = 0; k < statements.size(); ++k) {
      out.append(k > 0 ? ",{" : "{");
      append_metadata(out, statements[k]);
      out.push_back('}');
    }
    out.push_back(']');
  });
}

HttpResponse handle_target_metadata(const ServerContext& context, const HttpRequest& request) {
  const auto limit = number_parameter(request.form, "limit");
  if (!limit.ok()) return api_error(limit.error());
  std::vector<Matcher> matchers;
  if (const std::string_view text = request.form.get("match_target"); !text.empty()) {
    auto parsed = parse_metric_selector(text);
    if (!parsed.ok()) return api_error(invalid_parameter("match_target", parsed.error()));
    matchers = std::move(*parsed);
  }
  const std::string metric(request.form.get("metric"));
  struct Entry {
    std::shared_ptr<const Labels> target;
    FamilyMetadata family;
  };
  auto entries = std::make_shared<std::vector<Entry>>();
  const auto is_full = [&] { return *limit >= 0 && entries->size() >= static_cast<std::size_t>(*limit); };
  if (context.scraping != nullptr) {
    MetadataReader reader(metric);
    context.scraping->visit_pages([&](const Labels& labels, const SeriesCache& page) {
      if (is_full()) return false;
      if (!matches(labels, matchers)) return true;
      const auto target = std::make_shared<const Labels>(labels);
      for (FamilyMetadata& family : reader.read(page)) entries->push_back({target, std::move(family)});
      return true;
    });
  }
  const bool one_metric = !metric.empty();
  return api_elements("[]", entries->size(), [entries, one_metric](std::size_t i, std::string& out) {
    const Entry& entry = (*entries)[i];
    out.append(R"({"target":)");
    append_json_labels(out, *entry.target);
    if (!one_metric) {
      out.append(R"(,"metric":)");
      append_json_string(out, entry.family.metric);
    }
    out.push_back(',');
    append_metadata(out, entry.family.metadata);
    out.push_back('}');
  });
}

HttpResponse handle_relabel_steps(const ServerContext& context, const HttpRequest& request) {
  const std::string_view pool = request.form.get("scrapePool");
  if (pool.empty()) return api_error(bad_data("no scrapePool parameter provided"));
  const std::string_view text = request.form.get("labels");
  if (text.empty() || text == "{}") return api_error(bad_data("no labels parameter provided"));
  const auto labels = parse_labels(text);
  if (!labels.ok()) return api_error(labels.error());
  const auto config = context.scraping == nullptr ? nullptr : context.scraping->pool_config(pool);
  if (config == nullptr) {
    std::string message = "error retrieving scrape config: scrape pool ";
    append_quoted(message, pool);
    return api_error(bad_data(message + " not found"));
  }
  std::string data = R"({"steps":[)";
  Labels current = *labels;
  bool keep = true;
  for (std::size_t i = 0; i < config->relabel_configs.size(); ++i) {
    const RelabelConfig& rule = config->relabel_configs[i];
    keep = keep && relabel(current, {&rule, 1});
    if (!keep) current = {};
    data.append(i > 0 ? R"(,{"rule":)" : R"({"rule":)");
    append_rule(data, rule);
    data.append(R"(,"output":)");
    append_json_labels(data, current);
    data.append(keep ? R"(,"keep":true})" : R"(,"keep":false})");
  }
  return api_success(data + "]}");
}

HttpResponse handle_query_exemplars(const ServerContext& context, const HttpRequest& request) {
  const auto start = time_parameter(request.form, "start", kMinTimestamp);
  if (!start.ok()) return api_error(start.error());
  const auto end = time_parameter(request.form, "end", kMaxTimestamp);
  if (!end.ok()) return api_error(end.error());
  if (*end < *start) return api_error(bad_data("end timestamp must not be before start timestamp"));
  const auto query = parse_query(request.form.get("query"));
  if (!query.ok()) return api_error(query.error());
  std::vector<std::vector<Matcher>> selectors;
  collect_selectors(**query, selectors);
  if (selectors.empty()) {
    HttpResponse nothing;
    nothing.status = 204;
    return nothing;
  }
  auto found = std::make_shared<std::vector<SeriesExemplars>>();
  if (context.exemplars != nullptr) *found = context.exemplars->select(selectors, *start, *end);
  return api_elements("[]", found->size(),
                      [found](std::size_t i, std::string& out) { append_exemplars(out, (*found)[i]); });
}

}  // namespace pipit
