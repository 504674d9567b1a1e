// A form of any bytes as the parameters of each endpoint that reads the store: whatever they are, the answer is
// Prometheus's envelope, in valid JSON.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "api/query_handlers.h"
#include "api/search_handlers.h"
#include "api/server.h"
#include "api/target_handlers.h"
#include "telemetry/metrics.h"
#include "tests/storage/memory_store.h"

namespace {

using namespace pipit;

class Endpoints {
 public:
  Endpoints() {
    for (TimestampMs t = 0; t <= 60'000; t += 15'000) {
      store_.add({{"__name__", "up"}, {"job", "a"}}, t, 1);
      store_.add({{"__name__", "up"}, {"job", "b\"\\\n"}}, t, 0);
      store_.add({{"__name__", "größe.gesamt"}, {"a b", "\xff"}}, t, static_cast<double>(t));
    }
  }

  HttpResponse answer(unsigned endpoint, const HttpRequest& request) const {
    using Handle = HttpResponse (*)(const ServerContext&, const HttpRequest&);
    constexpr Handle kHandles[] = {handle_query,
                                   handle_query_range,
                                   handle_format_query,
                                   handle_parse_query,
                                   handle_labels,
                                   handle_series,
                                   handle_metadata,
                                   handle_query_exemplars,
                                   handle_search_metric_names,
                                   handle_search_label_names,
                                   handle_search_label_values,
                                   [](const ServerContext& context, const HttpRequest& with) {
                                     return handle_label_values(context, with, with.form.get("label"));
                                   }};
    return kHandles[endpoint % std::size(kHandles)](context_, request);
  }

 private:
  static EngineOptions options() {
    EngineOptions options;
    options.max_samples = 100'000;
    options.timeout = 200;
    return options;
  }

  MemoryStore store_;
  MetricsRegistry metrics_;
  Engine engine_{store_, options(), metrics_};
  ServerContext context_{.engine = engine_,
                         .source = store_,
                         .store = nullptr,
                         .scraping = nullptr,
                         .metrics = metrics_,
                         .config_text = nullptr,
                         .flags = {},
                         .reload = nullptr,
                         .quit = nullptr};
};

void check_line(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) std::abort();
  if (json.contains("results")) return;  // of a search, whose last line has the status
  const auto status = json.find("status");
  if (status == json.end() || (*status != "success" && *status != "error")) std::abort();
  if (*status == "error" && (!json.contains("errorType") || !json["error"].is_string())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Endpoints endpoints;
  if (size == 0 || size > 2000) return 0;
  HttpRequest request;
  request.method = "GET";
  const std::atomic<bool> canceled{false};
  request.canceled = &canceled;
  if (!request.form.parse({reinterpret_cast<const char*>(data) + 1, size - 1}).ok()) return 0;
  HttpResponse response = endpoints.answer(data[0], request);
  if (response.status == 204) return 0;
  while (response.rest && response.rest->next(response.body)) {
  }
  const std::string_view body = response.body;
  if (response.content_type.starts_with("application/x-ndjson")) {
    for (std::size_t at = 0; at < body.size();) {
      const std::size_t end = body.find('\n', at);
      check_line(body.substr(at, end - at));
      at = end + 1;
    }
  } else {
    check_line(body);
  }
  return 0;
}
