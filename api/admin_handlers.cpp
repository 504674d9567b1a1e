#include "api/admin_handlers.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "api/api_answer.h"
#include "api/api_parameters.h"
#include "api/json_writer.h"
#include "model/labels.h"
#include "query/parser.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// False when missing.
Result<bool> boolean_parameter(const FormFields& form, std::string_view name) {
  const std::string_view text = form.get(name);
  if (text.empty()) return false;
  auto value = parse_boolean(text);
  if (!value.ok()) return invalid_parameter(name, bad_data("unable to parse boolean: " + value.error().message));
  return value;
}

HttpResponse done() {
  HttpResponse response;
  response.status = 204;
  return response;
}

HttpResponse failed(std::string_view what, const Error& error) {
  log_warn(what, {{"error", error}});
  return api_error(error);
}

}  // namespace

HttpResponse handle_delete_series(Store& store, const HttpRequest& request) {
  const auto selectors = request.form.all("match[]");
  if (selectors.empty()) return api_error(bad_data("no match[] parameter provided"));
  const auto start = time_parameter(request.form, "start", kMinTimestamp);
  if (!start.ok()) return api_error(start.error());
  const auto end = time_parameter(request.form, "end", kMaxTimestamp);
  if (!end.ok()) return api_error(end.error());
  std::vector<std::vector<Matcher>> sets;
  for (const std::string_view text : selectors) {
    auto matchers = parse_metric_selector(text);
    if (!matchers.ok()) return api_error(invalid_parameter("match[]", matchers.error()));
    sets.push_back(std::move(*matchers));
  }
  if (Status status = store.delete_series(sets, *start, *end); !status.ok()) {
    return failed("Series could not be deleted", status.error());
  }
  for (const std::string_view text : selectors) {
    log_info("Deleted series", {{"match", text}, {"start", *start}, {"end", *end}});
  }
  return done();
}

HttpResponse handle_clean_tombstones(Store& store) {
  if (Status status = store.clean_tombstones(); !status.ok()) {
    return failed("Deleted samples could not be removed from the disk", status.error());
  }
  return done();
}

HttpResponse handle_snapshot(Store& store, const HttpRequest& request) {
  const auto skip_head = boolean_parameter(request.form, "skip_head");
  if (!skip_head.ok()) return api_error(skip_head.error());
  const auto name = store.snapshot(*skip_head);
  if (!name.ok()) return failed("The snapshot failed", name.error());
  std::string data = R"({"name":)";
  append_json_string(data, *name);
  return api_success(data + "}");
}

bool is_cross_site(const HttpRequest& request) {
  if (!request.fetch_site.empty()) return request.fetch_site != "same-origin" && request.fetch_site != "none";
  if (request.origin.empty()) return false;
  // Browsers that send no Sec-Fetch-Site.
  const std::size_t scheme = request.origin.find("://");
  return scheme == std::string::npos || request.origin.substr(scheme + 3) != request.host;
}

}  // namespace pipit
