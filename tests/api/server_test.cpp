#include "api/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "api/search_handlers.h"
#include "config/config.h"
#include "query/engine.h"
#include "scrape/scrape_manager.h"
#include "telemetry/metrics.h"
#include "tests/api/http_client.h"
#include "tests/storage/memory_store.h"

namespace pipit {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// A server over a little store: `up` of jobs a and b, `requests_total`, and a metric with UTF-8 names, from 0 to 60 s.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    for (TimestampMs t = 0; t <= 60'000; t += 15'000) {
      store_.add({{"__name__", "up"}, {"job", "a"}}, t, 1);
      store_.add({{"__name__", "up"}, {"job", "b"}}, t, 0);
      store_.add({{"__name__", "requests_total"}, {"le", "+Inf"}}, t, static_cast<double>(t) / 1000);
      store_.add({{"__name__", "utf8.name"}, {"label with space", "\"quoted\" \\ \n"}}, t,
                 std::numeric_limits<double>::quiet_NaN());
    }
    EXPECT_TRUE(store_.set_metadata("up", {MetricType::gauge, "", ""}).ok());
    EXPECT_TRUE(store_.set_metadata("requests_total", {MetricType::counter, "Requests \"served\".", ""}).ok());
    options_.listen_addresses = {"127.0.0.1:0"};
    options_.version = "1.2.3";
    options_.page_title = "Pipit <test>";
  }

  void start(bool ready = true) {
    server_ =
        std::make_unique<Server>(options_, ServerContext{.engine = engine_,
                                                         .source = store_,
                                                         .store = nullptr,
                                                         .scraping = scraping_.get(),
                                                         .metrics = metrics_,
                                                         .config_text = [] { return std::string("global: {}\n"); },
                                                         .flags = {{"storage.tsdb.retention.time", "15d"}},
                                                         .reload = [this] { return reload_; },
                                                         .quit = [this] { ++quits_; }});
    Status status = server_->start();
    ASSERT_TRUE(status.ok()) << status.error().message;
    if (ready) server_->set_ready();
    port_ = server_->ports().at(0);
  }

  json get_json(const std::string& target) {
    TestResponse response = fetch(port_, "GET", target);
    EXPECT_EQ(response.status, 200) << response.body;
    return json::parse(response.body);
  }

  MemoryStore store_;
  MetricsRegistry metrics_;
  Engine engine_{store_, EngineOptions(), metrics_};
  std::unique_ptr<ScrapeManager> scraping_;
  ServerOptions options_;
  Status reload_;
  int quits_ = 0;
  std::unique_ptr<Server> server_;
  int port_ = 0;
};

TEST_F(ServerTest, AnswersAsTheTableSays) {
  start();
  std::ifstream file(PIPIT_SOURCE_DIR "/tests/api/data/requests.json");
  const json cases = json::parse(file);
  for (const json& c : cases) {
    if (c.contains("about")) continue;
    bool post = c.contains("post");
    std::string target = c[post ? "post" : "get"];
    std::string form = c.value("form", "");
    SCOPED_TRACE(target + " " + form);
    TestResponse response = fetch(port_, post ? "POST" : "GET", target,
                                  post ? "Content-Type: application/x-www-form-urlencoded\r\n" : "", form);
    EXPECT_EQ(response.status, c.value("status", 200)) << response.body;
    if (c.contains("answer")) {
      EXPECT_EQ(response.header("Content-Type"), "application/json");
      ASSERT_TRUE(json::accept(response.body)) << response.body;
      EXPECT_EQ(json::parse(response.body), c["answer"]);
    }
    if (c.contains("text")) {
      EXPECT_EQ(response.body, c["text"].get<std::string>());
    }
  }
}

TEST_F(ServerTest, SaysWhatAQueryCost) {
  start();
  for (const char* target :
       {"/api/v1/query?query=up&time=60&stats=all", "/api/v1/query_range?query=up&start=60&end=60&step=1&stats=true"}) {
    const json data = json::parse(fetch(port_, "GET", target).body)["data"];
    EXPECT_EQ(data["result"].size(), 2U) << target;
    for (const char* timing : {"evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime",
                               "execQueueTime", "execTotalTime"}) {
      EXPECT_TRUE(data["stats"]["timings"][timing].is_number()) << target << " " << timing;
    }
    EXPECT_GE(data["stats"]["samples"]["totalQueryableSamples"], 2) << target;
    EXPECT_GE(data["stats"]["samples"]["peakSamples"], 2) << target;
  }
}

TEST_F(ServerTest, ExplainsAQueryInsteadOfAnsweringIt) {
  start();
  const json data = json::parse(
      fetch(port_, "GET", "/api/v1/query?query=sum(up)%2Bon()%20group_right%20up&time=60&explain=1").body)["data"];
  EXPECT_EQ(data["series"], 2);
  EXPECT_EQ(data["plan"]["node"], "+ on () group_right ()");
  EXPECT_EQ(data["plan"]["inputs"].size(), 2U);
  EXPECT_EQ(data["plan"]["inputs"][0]["node"], "sum");
  EXPECT_EQ(data["plan"]["inputs"][0]["inputs"][0]["series"], 2);
  EXPECT_TRUE(data["stats"]["timings"].is_object());
  const auto remarked = fetch(port_, "GET", "/api/v1/query?query=rate(up[5m])&time=60&explain=1");
  EXPECT_EQ(json::parse(remarked.body)["infos"].size(), 1U) << remarked.body;
  EXPECT_TRUE(json::parse(fetch(port_, "GET", "/api/v1/query?query=1&explain=1").body)["data"]["plan"].is_null());
  EXPECT_TRUE(json::parse(fetch(port_, "GET", "/api/v1/query?query=1&explain=0").body)["data"].contains("result"));
}

TEST_F(ServerTest, LongQueriesWorkAsUrlAndAsForm) {
  start();
  TestResponse from_url = fetch(port_, "GET", "/api/v1/query?time=60&query=%20" + std::string(60'000, '+') + "up");
  EXPECT_EQ(json::parse(from_url.body)["data"]["result"].size(), 2u);
  TestResponse from_form = fetch(port_, "POST", "/api/v1/query", "Content-Type: application/x-www-form-urlencoded\r\n",
                                 "time=60&query=" + std::string(1 << 20, '+') + "up");
  EXPECT_EQ(json::parse(from_form.body)["data"]["result"].size(), 2u);
}

TEST_F(ServerTest, BoundsWhatExpressionsCompileTo) {
  start();
  std::string large;
  for (int i = 0; i < 100; ++i) large += "a%7B1000%7D";
  std::string form = "query=up%7B";
  for (int i = 0; i < 200; ++i) form += "job%21~%22" + large + std::to_string(i) + "%22%2C";
  const TestResponse response =
      fetch(port_, "POST", "/api/v1/query", "Content-Type: application/x-www-form-urlencoded\r\n", form + "%7D");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("error parsing regexp: too large, together with the request's others"));
}

TEST_F(ServerTest, BoundsWhatIsSearchedFor) {
  start();
  const auto patterns = [](std::size_t count, std::size_t length) {
    std::string form = "start=0&end=60";
    for (std::size_t i = 0; i < count; ++i) form += "&search%5B%5D=" + std::string(length, 'x');
    return form;
  };
  const auto search = [&](const std::string& form) {
    return fetch(port_, "GET", "/api/v1/search/metric_names?" + form);
  };
  EXPECT_EQ(search("start=0&end=60&search%5B%5D=up").body,
            "{\"results\":[{\"name\":\"up\"}]}\n{\"status\":\"success\",\"has_more\":false}\n");
  EXPECT_EQ(search(patterns(100, 1)).status, 200);
  EXPECT_EQ(search(patterns(1, 4096)).status, 200);
  for (const std::string& form : {patterns(101, 1), patterns(1, 4097), patterns(2, 2049)}) {
    const TestResponse refused = search(form);
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(json::parse(refused.body)["error"],
              "too much in search[]: at most 100 patterns with 4096 bytes together");
  }
}

TEST_F(ServerTest, DescribesItselfInTheVersionThatIsAskedFor) {
  start();
  for (const auto& [parameters, version] : {std::pair("", "3.1.0"),
                                            {"?openapi_version=3.1", "3.1.0"},
                                            {"?openapi_version=3.2", "3.2.0"},
                                            {"?openapi_version=x", "3.1.0"}}) {
    const TestResponse page = fetch(port_, "GET", std::string("/api/v1/openapi.yaml") + parameters);
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body.substr(0, page.body.find('\n')), std::string("openapi: ") + version) << parameters;
  }
}

TEST_F(ServerTest, AQueryNestedTooDeepIsAnErrorAndNoHarm) {
  start();
  for (int depth : {1'100, 100'000}) {
    std::string query =
        std::string(static_cast<std::size_t>(depth), '(') + "1" + std::string(static_cast<std::size_t>(depth), ')');
    TestResponse response =
        fetch(port_, "POST", "/api/v1/query", "Content-Type: application/x-www-form-urlencoded\r\n", "query=" + query);
    EXPECT_EQ(response.status, 400) << response.body;
  }
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 200);
}

TEST_F(ServerTest, TellsStartAndEndOfReadiness) {
  start(false);
  EXPECT_EQ(fetch(port_, "GET", "/-/ready").status, 503);
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 200);
  EXPECT_EQ(fetch(port_, "GET", "/api/v1/query?query=1").status, 503);
  server_->set_ready();
  EXPECT_EQ(fetch(port_, "GET", "/-/ready").status, 200);
  EXPECT_EQ(fetch(port_, "GET", "/api/v1/query?query=1").status, 200);
}

TEST_F(ServerTest, ReloadsAndQuitsWhenLifecycleIsEnabled) {
  options_.enable_lifecycle = true;
  start();
  EXPECT_EQ(fetch(port_, "POST", "/-/reload").status, 200);
  reload_ = bad_data("prometheus.yml:3:1: no");
  TestResponse failed = fetch(port_, "PUT", "/-/reload");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body, "failed to reload config: prometheus.yml:3:1: no\n");
  EXPECT_EQ(fetch(port_, "POST", "/-/quit").body, "Requesting termination... Goodbye!");
  EXPECT_EQ(quits_, 1);
}

TEST_F(ServerTest, AnswersCrossOriginRequests) {
  options_.cors_origin = "https://(.*\\.)?example\\.org";
  start();
  TestResponse preflight = fetch(port_, "OPTIONS", "/api/v1/query", "Origin: https://grafana.example.org\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "https://grafana.example.org");
  EXPECT_EQ(preflight.header("Access-Control-Allow-Methods"), "GET, POST, OPTIONS");
  TestResponse other = fetch(port_, "GET", "/api/v1/query?query=1", "Origin: https://example.com\r\n");
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(other.header("Access-Control-Allow-Origin"), "");
}

TEST_F(ServerTest, ServesPagesThatLoadNothingFromElsewhere) {
  start();
  TestResponse home = fetch(port_, "GET", "/");
  EXPECT_EQ(home.status, 302);
  EXPECT_EQ(home.header("Location"), "/graph");
  for (std::string page : {"/graph", "/targets"}) {
    TestResponse response = fetch(port_, "GET", page);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.header("Content-Type"), "text/html; charset=utf-8");
    EXPECT_EQ(response.header("X-Content-Type-Options"), "nosniff");
    EXPECT_THAT(response.header("Content-Security-Policy"), HasSubstr("default-src 'none'"));
    EXPECT_THAT(response.body, HasSubstr("Pipit &lt;test&gt;"));
    EXPECT_THAT(response.body, ::testing::Not(HasSubstr("http://")));
    EXPECT_THAT(response.body, ::testing::Not(HasSubstr("{{")));
  }
  for (std::string asset : {"api.js", "chart.js", "graph.js", "targets.js", "pipit.css", "icon.svg"}) {
    TestResponse response = fetch(port_, "GET", "/assets/" + asset);
    EXPECT_EQ(response.status, 200);
    std::ifstream file(PIPIT_SOURCE_DIR "/web/pages/" + asset);
    EXPECT_EQ(response.body, std::string(std::istreambuf_iterator<char>(file), {}));
  }
}

TEST_F(ServerTest, LivesBelowAPrefix) {
  options_.external_url = "https://example.org/metrics/pipit/";
  start();
  EXPECT_EQ(fetch(port_, "GET", "/").header("Location"), "/metrics/pipit/");
  EXPECT_EQ(fetch(port_, "GET", "/metrics/pipit/").header("Location"), "/metrics/pipit/graph");
  EXPECT_EQ(fetch(port_, "GET", "/metrics/pipit/-/healthy").status, 200);
  EXPECT_EQ(get_json("/metrics/pipit/api/v1/label/job/values")["data"], json::parse(R"(["a","b"])"));
  EXPECT_EQ(fetch(port_, "GET", "/api/v1/labels").status, 404);
}

TEST_F(ServerTest, ARoutePrefixMayDifferFromTheExternalPath) {
  options_.external_url = "https://example.org/pipit";
  options_.route_prefix = "/";
  start();
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 200);
  EXPECT_EQ(fetch(port_, "GET", "/").header("Location"), "/pipit/graph");
}

TEST_F(ServerTest, ShowsTargets) {
  auto config = parse_config(R"(
scrape_configs:
  - job_name: nobody
    scrape_interval: 1h
    static_configs:
      - targets: ['127.0.0.1:1', '127.0.0.1:2']
    relabel_configs:
      - source_labels: [__address__]
        regex: .*:2
        action: drop
)",
                             "test.yml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  scraping_ = std::make_unique<ScrapeManager>(store_, metrics_);
  scraping_->apply(*config);
  options_.external_url = "https://example.org";
  options_.route_prefix = "/";
  start();

  json data = get_json("/api/v1/targets")["data"];
  ASSERT_EQ(data["activeTargets"].size(), 1u) << data;
  json target = data["activeTargets"][0];
  EXPECT_EQ(target["labels"], json::parse(R"({"instance":"127.0.0.1:1","job":"nobody"})"));
  EXPECT_EQ(target["discoveredLabels"]["__address__"], "127.0.0.1:1");
  EXPECT_EQ(target["scrapePool"], "nobody");
  EXPECT_EQ(target["scrapeUrl"], "http://127.0.0.1:1/metrics");
  EXPECT_EQ(target["globalUrl"], "http://example.org:1/metrics");
  EXPECT_EQ(target["scrapeInterval"], "1h");
  EXPECT_EQ(target["scrapeTimeout"], "10s");
  EXPECT_THAT((std::vector<std::string>{"unknown", "down"}), ::testing::Contains(target["health"].get<std::string>()));
  ASSERT_EQ(data["droppedTargets"].size(), 1u);
  EXPECT_EQ(data["droppedTargets"][0]["scrapePool"], "nobody");
  EXPECT_EQ(data["droppedTargetCounts"]["nobody"], 1);

  EXPECT_EQ(get_json("/api/v1/targets?state=active")["data"]["droppedTargets"].size(), 0u);
  EXPECT_EQ(get_json("/api/v1/targets?state=dropped")["data"]["activeTargets"].size(), 0u);
  EXPECT_EQ(get_json("/api/v1/targets?scrapePool=other")["data"]["activeTargets"].size(), 0u);
  EXPECT_EQ(get_json("/api/v1/scrape_pools")["data"]["scrapePools"], json::parse(R"(["nobody"])"));
}

TEST_F(ServerTest, CountsItsRequests) {
  start();
  fetch(port_, "GET", "/api/v1/query?query=up");
  fetch(port_, "GET", "/api/v1/query?query=up{");
  fetch(port_, "GET", "/nothing");
  TestResponse page = fetch(port_, "GET", "/metrics");
  EXPECT_EQ(page.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  for (std::string line : {R"(pipit_http_requests_total{code="200",handler="/api/v1/query"} 1)",
                           R"(pipit_http_requests_total{code="400",handler="/api/v1/query"} 1)",
                           R"(pipit_http_requests_total{code="404",handler="not_found"} 1)",
                           R"(pipit_http_request_duration_seconds_count{handler="/api/v1/query"} 2)",
                           R"(pipit_http_requests_in_flight 1)"}) {
    EXPECT_THAT(page.body, HasSubstr(line + "\n"));
  }
}

/// A store whose queries end only when they are canceled.
class StuckStore final : public Queryable {
 public:
  Result<std::unique_ptr<SeriesCursor>> select(const SelectRequest& request, SymbolTable&) const override {
    ++entered;
    while (!request.canceled || !*request.canceled) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ++canceled;
    return Error{ErrorKind::canceled, "query was canceled"};
  }
  Result<std::vector<std::string>> label_names(MatcherSets, TimestampMs, TimestampMs, std::size_t) const override {
    return std::vector<std::string>();
  }
  Result<std::vector<std::string>> label_values(std::string_view, MatcherSets, TimestampMs, TimestampMs,
                                                std::size_t) const override {
    return std::vector<std::string>();
  }
  Result<std::vector<Labels>> series(MatcherSets, TimestampMs, TimestampMs, std::size_t) const override {
    return std::vector<Labels>();
  }
  Result<std::vector<MetricMetadata>> metadata(std::string_view, std::size_t) const override {
    return std::vector<MetricMetadata>();
  }

  mutable std::atomic<int> entered{0};
  mutable std::atomic<int> canceled{0};
};

TEST(ServerCancellation, ASearchWhoseClientIsGoneEnds) {
  MemoryStore store;
  store.add({{"__name__", "up"}}, 60'000, 1);
  MetricsRegistry metrics;
  Engine engine(store, EngineOptions(), metrics);
  const ServerContext context{.engine = engine,
                              .source = store,
                              .store = nullptr,
                              .scraping = nullptr,
                              .metrics = metrics,
                              .config_text = nullptr,
                              .flags = {},
                              .reload = nullptr,
                              .quit = nullptr};
  HttpRequest request;
  ASSERT_TRUE(request.form.parse("start=0&end=60").ok());
  std::atomic<bool> canceled{false};
  request.canceled = &canceled;
  EXPECT_EQ(handle_search_metric_names(context, request).status, 200);
  canceled = true;
  EXPECT_EQ(handle_search_metric_names(context, request).status, 499);
}

TEST(ServerCancellation, AClientThatHangsUpEndsItsQuery) {
  StuckStore store;
  MetricsRegistry metrics;
  Engine engine(store, EngineOptions(), metrics);
  ServerOptions options;
  options.listen_addresses = {"127.0.0.1:0"};
  Server server(options, ServerContext{.engine = engine,
                                       .source = store,
                                       .store = nullptr,
                                       .scraping = nullptr,
                                       .metrics = metrics,
                                       .config_text = nullptr,
                                       .flags = {},
                                       .reload = nullptr,
                                       .quit = nullptr});
  ASSERT_TRUE(server.start().ok());
  server.set_ready();
  auto wait_for = [](const std::atomic<int>& count) {
    for (int i = 0; i < 10'000 && count == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return count.load();
  };
  {
    TestConnection client(server.ports().at(0));
    client.send("GET /api/v1/query?query=up HTTP/1.1\r\n\r\n");
    ASSERT_EQ(wait_for(store.entered), 1);
  }
  EXPECT_EQ(wait_for(store.canceled), 1);
}

}  // namespace
}  // namespace pipit
