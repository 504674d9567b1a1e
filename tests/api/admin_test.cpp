// The admin API and status/tsdb over a real store.

#include "api/admin_handlers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "api/server.h"
#include "query/engine.h"
#include "storage/store.h"
#include "telemetry/metrics.h"
#include "tests/api/http_client.h"
#include "tests/temporary_folder.h"

namespace pipit {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr std::string_view kAdmin = "/api/v1/admin/tsdb/";

class AdminTest : public ::testing::Test {
 protected:
  AdminTest() {
    store_ = Store::open(store_options(), metrics_).value();
    for (TimestampMs t = 0; t <= 60'000; t += 15'000) {
      add(Labels{{"__name__", "up"}, {"job", "a"}, {"zone", "far"}}, t);
      add(Labels{{"__name__", "up"}, {"job", "b"}}, t);
      add(Labels{{"__name__", "requests_total"}, {"job", "a"}}, t);
    }
    options_.listen_addresses = {"127.0.0.1:0"};
    options_.enable_admin_api = true;
  }
  ~AdminTest() override {
    server_.reset();
    store_.reset();
  }

  StoreOptions store_options() const {
    StoreOptions options;
    options.path = folder_.path() / "pipit";
    options.retention = 0;
    return options;
  }
  void add(const Labels& labels, TimestampMs time) {
    const SeriesRef ref = store_->series(labels).value();
    const double value = 1;
    ASSERT_EQ(store_->append({{&ref, 1}, {&value, 1}, {&time, 1}}).value().stored, 1u);
  }

  int port() {
    if (server_) return server_->ports().at(0);
    engine_ = std::make_unique<Engine>(*store_, EngineOptions(), metrics_);
    server_ = std::make_unique<Server>(options_, ServerContext{.engine = *engine_,
                                                               .source = *store_,
                                                               .store = store_.get(),
                                                               .scraping = nullptr,
                                                               .metrics = metrics_,
                                                               .config_text = nullptr,
                                                               .flags = {},
                                                               .reload = nullptr,
                                                               .quit = nullptr});
    EXPECT_TRUE(server_->start().ok());
    server_->set_ready();
    return server_->ports().at(0);
  }
  TestResponse admin(std::string_view what, std::string_view method = "POST", std::string_view headers = "") {
    return fetch(port(), method, std::string(kAdmin) + std::string(what), headers);
  }
  /// How many samples a selector finds at all.
  int samples(const std::string& selector) {
    const TestResponse response =
        fetch(port(), "GET", "/api/v1/query?time=60&query=sum(count_over_time(" + selector + "[61s]))");
    const json result = json::parse(response.body)["data"]["result"];
    return result.empty() ? 0 : std::stoi(result[0]["value"][1].get<std::string>());
  }
  json status(const std::string& parameters = "") {
    return json::parse(fetch(port(), "GET", "/api/v1/status/tsdb" + parameters).body)["data"];
  }

  TemporaryFolder folder_;
  MetricsRegistry metrics_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Engine> engine_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(AdminTest, DeletesSamplesOfSeriesInARange) {
  const TestResponse response = admin("delete_series?match[]=up{job=\"a\"}&start=15&end=1970-01-01T00:00:30Z");
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(samples("up{job=\"a\"}"), 3);
  EXPECT_EQ(samples("up{job=\"b\"}"), 5);
  const TestResponse form =
      fetch(port(), "PUT", std::string(kAdmin) + "delete_series", "Content-Type: application/x-www-form-urlencoded\r\n",
            "match%5B%5D=requests_total&match%5B%5D=%7Bjob%3D%22b%22%7D");
  EXPECT_EQ(form.status, 204) << form.body;
  EXPECT_EQ(samples("requests_total"), 0);
  EXPECT_EQ(samples("up{job=\"b\"}"), 0);
  EXPECT_EQ(samples("up{job=\"a\"}"), 3);
  EXPECT_EQ(admin("clean_tombstones").status, 204);
  EXPECT_EQ(samples("up"), 3);
}

TEST_F(AdminTest, MakesSnapshotsThatOpenAsAStore) {
  const TestResponse response = admin("snapshot?skip_head=false");
  EXPECT_EQ(response.status, 200);
  const json answer = json::parse(response.body);
  EXPECT_EQ(answer["status"], "success");
  const std::string name = answer["data"]["name"];
  EXPECT_THAT(name, MatchesRegex("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}"));
  StoreOptions options = store_options();
  options.path = folder_.path() / "snapshots" / name / "pipit";
  MetricsRegistry metrics;
  auto copy = Store::open(options, metrics);
  ASSERT_TRUE(copy.ok()) << copy.error().message;
  EXPECT_EQ((*copy)->series({}, kMinTimestamp, kMaxTimestamp, 0).value().size(), 3u);
  EXPECT_EQ(admin("snapshot?skip_head=1").status, 200);
}

TEST_F(AdminTest, RefusesWhatPrometheusRefuses) {
  struct Case {
    const char* what;
    int status;
    const char* text;
  };
  const Case cases[] = {
      {"delete_series", 400, R"({"status":"error","errorType":"bad_data","error":"no match[] parameter provided"})"},
      {"delete_series?match[]=up&start=x", 400, R"(invalid parameter \"start\")"},
      {"delete_series?match[]=up&end=x", 400, R"(invalid parameter \"end\")"},
      {"delete_series?match[]=up&match[]=up{", 400, R"(invalid parameter \"match[]\")"},
      {"snapshot?skip_head=maybe", 400,
       R"(invalid parameter \"skip_head\": unable to parse boolean: strconv.ParseBool: parsing \"maybe\": invalid syntax)"},
      {"delete", 404, "404 page not found"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const TestResponse response = admin(c.what);
    EXPECT_EQ(response.status, c.status);
    EXPECT_THAT(response.body, HasSubstr(c.text));
  }
  const TestResponse get = admin("delete_series?match[]=up", "GET");
  EXPECT_EQ(get.status, 405);
  EXPECT_EQ(get.header("Allow"), "POST, PUT, OPTIONS");
  EXPECT_EQ(samples("up"), 10);
}

TEST_F(AdminTest, IsOffUnlessEnabled) {
  options_.enable_admin_api = false;
  for (const char* what : {"delete_series?match[]=up", "clean_tombstones", "snapshot"}) {
    const TestResponse response = admin(what);
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.body, R"({"status":"error","errorType":"unavailable","error":"admin APIs disabled"})");
  }
  EXPECT_EQ(samples("up"), 10);
}

TEST_F(AdminTest, IsClosedToPagesOfOtherSites) {
  const std::string own =
      "Origin: http://127.0.0.1:" + std::to_string(port()) + "\r\nHost: 127.0.0.1:" + std::to_string(port()) + "\r\n";
  struct Case {
    std::string headers;
    int status;
  };
  const Case cases[] = {
      {"Origin: https://elsewhere.example\r\n", 403},
      {"Origin: null\r\n", 403},
      {"Sec-Fetch-Site: cross-site\r\n", 403},
      {"Sec-Fetch-Site: same-site\r\nOrigin: http://test\r\n", 403},
      {"Sec-Fetch-Site: same-origin\r\nOrigin: https://proxy.example\r\n", 400},  // Host was changed on the way
      {"Sec-Fetch-Site: none\r\n", 400},
      {"Origin: http://test\r\n", 400},
      {"", 400},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.headers);
    EXPECT_EQ(admin("delete_series", "POST", c.headers).status, c.status) << "without match[], which is a 400";
  }
}

TEST_F(AdminTest, CountsWhatTheSeriesAreMadeOf) {
  const json all = status();
  EXPECT_EQ(all["headStats"]["numSeries"], 3);
  EXPECT_EQ(all["headStats"]["numLabelPairs"], 5);
  EXPECT_EQ(all["headStats"]["minTime"], 0);
  EXPECT_EQ(all["headStats"]["maxTime"], 60'000);
  EXPECT_EQ(all["seriesCountByMetricName"],
            json::parse(R"([{"name":"up","value":2},{"name":"requests_total","value":1}])"));
  EXPECT_EQ(all["labelValueCountByLabelName"],
            json::parse(R"([{"name":"__name__","value":2},{"name":"job","value":2},{"name":"zone","value":1}])"));
  EXPECT_EQ(all["memoryInBytesByLabelName"],
            json::parse(R"([{"name":"__name__","value":18},{"name":"job","value":3},{"name":"zone","value":3}])"));
  EXPECT_EQ(
      all["seriesCountByLabelValuePair"],
      json::parse(
          R"([{"name":"__name__=up","value":2},{"name":"job=a","value":2},{"name":"__name__=requests_total","value":1},
                            {"name":"job=b","value":1},{"name":"zone=far","value":1}])"));
  const json one = status("?limit=1");
  for (const char* list : {"seriesCountByMetricName", "labelValueCountByLabelName", "memoryInBytesByLabelName",
                           "seriesCountByLabelValuePair"}) {
    EXPECT_EQ(one[list], json::array({all[list][0]})) << list;
  }
  for (const char* limit : {"0", "-1", "x", "10001", "99999999999999999999"}) {
    const TestResponse response = fetch(port(), "GET", "/api/v1/status/tsdb?limit=" + std::string(limit));
    EXPECT_EQ(response.status, 400);
    EXPECT_THAT(response.body, HasSubstr("limit must"));
  }
}

}  // namespace
}  // namespace pipit
