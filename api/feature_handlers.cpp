// Source of categories and names: Prometheus 3.14, cmd/prometheus/testdata/features.json.

#include "api/feature_handlers.h"

#include <span>

#include "api/api_answer.h"
#include "query/function_table.h"
#include "web/pages.h"

namespace pipit {
namespace {

struct Feature {
  std::string_view name;
  bool enabled = true;
};

constexpr Feature kScrape[] = {
    {"extra_scrape_metrics"}, {"start_timestamp_zero_ingestion", false}, {"type_and_unit_labels", false}};
constexpr Feature kRules[] = {{"concurrent_rule_eval", false}, {"keep_firing_for"}, {"query_offset"}};
constexpr Feature kStore[] = {{"delayed_compaction", false},
                              {"exemplar_storage"},
                              {"isolation"},
                              {"native_histograms", false},
                              {"use_uncached_io", false}};
constexpr Feature kPrometheus[] = {
    {"agent_mode", false}, {"auto_reload_config", false}, {"server_mode"}, {"stringlabels", false}};
constexpr Feature kDiscovery[] = {{"dns"}, {"docker"}, {"file"}, {"http"}, {"static"}};
constexpr Feature kUserInterface[] = {{"ui_v2", false}, {"ui_v3", false}};
constexpr Feature kLanguage[] = {{"anchored"},
                                 {"at_modifier"},
                                 {"bool"},
                                 {"by"},
                                 {"delayed_name_removal"},
                                 {"duration_expr"},
                                 {"fill"},
                                 {"fill_left"},
                                 {"fill_right"},
                                 {"group_left"},
                                 {"group_right"},
                                 {"ignoring"},
                                 {"negative_offset"},
                                 {"offset"},
                                 {"on"},
                                 {"per_query_lookback_delta"},
                                 {"per_step_stats", false},
                                 {"smoothed"},
                                 {"subqueries"},
                                 {"type_and_unit_labels", false},
                                 {"without"}};
constexpr Feature kOperators[] = {
    {"!="},     {"!~"},          {"%"},      {"*"},    {"+"},       {"-"},     {"/"},
    {"<"},      {"<="},          {"=="},     {"=~"},   {">"},       {">="},    {"@"},
    {"^"},      {"and"},         {"atan2"},  {"avg"},  {"bottomk"}, {"count"}, {"count_values"},
    {"group"},  {"limit_ratio"}, {"limitk"}, {"max"},  {"min"},     {"or"},    {"quantile"},
    {"stddev"}, {"stdvar"},      {"sum"},    {"topk"}, {"unless"}};
constexpr Feature kTemplates[] = {{"args"},
                                  {"externalURL"},
                                  {"first"},
                                  {"graphLink"},
                                  {"humanize"},
                                  {"humanize1024"},
                                  {"humanizeDuration"},
                                  {"humanizePercentage"},
                                  {"humanizeTimestamp"},
                                  {"label"},
                                  {"match"},
                                  {"now"},
                                  {"parseDuration"},
                                  {"pathPrefix"},
                                  {"query"},
                                  {"reReplaceAll"},
                                  {"safeHtml"},
                                  {"sortByLabel"},
                                  {"stripDomain"},
                                  {"stripPort"},
                                  {"strvalue"},
                                  {"tableLink"},
                                  {"title"},
                                  {"toDuration"},
                                  {"toLower"},
                                  {"toTime"},
                                  {"toUpper"},
                                  {"urlQueryEscape"},
                                  {"value"}};

void append_category(std::string& out, std::string_view name, std::span<const Feature> features) {
  if (out.size() > 1) out.push_back(',');
  out.append("\"").append(name).append("\":{");
  for (const Feature& feature : features) {
    if (out.back() != '{') out.push_back(',');
    out.append("\"").append(feature.name).append(feature.enabled ? "\":true" : "\":false");
  }
  out.push_back('}');
}

}  // namespace

HttpResponse handle_features(const ServerOptions& options) {
  const Feature api[] = {{"admin", options.enable_admin_api},
                         {"exclude_alerts"},
                         {"label_values_match"},
                         {"lifecycle", options.enable_lifecycle},
                         {"openapi_3.1"},
                         {"openapi_3.2"},
                         {"otlp_write_receiver", false},
                         {"query_stats"},
                         {"query_warnings"},
                         {"remote_write_receiver", options.enable_remote_write_receiver},
                         {"search"},
                         {"time_range_labels"},
                         {"time_range_series"}};
  std::vector<Feature> functions;
  for (const FunctionSpec& function : all_functions()) functions.push_back({function.name, true});
  std::string data = "{";
  append_category(data, "api", api);
  append_category(data, "prometheus", kPrometheus);
  append_category(data, "promql", kLanguage);
  append_category(data, "promql_functions", functions);
  append_category(data, "promql_operators", kOperators);
  append_category(data, "rules", kRules);
  append_category(data, "scrape", kScrape);
  append_category(data, "service_discovery_providers", kDiscovery);
  append_category(data, "templating_functions", kTemplates);
  append_category(data, "tsdb", kStore);
  append_category(data, "ui", kUserInterface);
  data.push_back('}');
  return api_success(data);
}

HttpResponse handle_openapi(const ServerOptions& options, std::string_view path_prefix, std::string_view version) {
  constexpr std::string_view kServer = "url: /api/v1";
  std::string text(find_web_asset("openapi.yaml")->content);
  std::string base = options.external_url.empty() ? std::string(path_prefix) : options.external_url;
  while (base.ends_with('/')) base.pop_back();
  // All of 3.1 is in 3.2, and nothing here needs what that adds.
  constexpr std::string_view kVersion = "openapi: 3.1.0";
  if (version == "3.2") text.replace(text.find(kVersion), kVersion.size(), "openapi: 3.2.0");
  text.replace(text.find(kServer), kServer.size(), "url: \"" + base + "/api/v1\"");
  HttpResponse response;
  response.content_type = "application/yaml; charset=utf-8";
  response.body = std::move(text);
  response.headers.emplace_back("Cache-Control", "no-cache, no-store, must-revalidate");
  return response;
}

}  // namespace pipit
