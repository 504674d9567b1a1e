#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/server.h"
#include "delivery/delivery.h"
#include "query/engine.h"
#include "telemetry/metrics.h"
#include "tests/api/http_client.h"
#include "tests/storage/memory_store.h"
#include "tests/temporary_folder.h"

namespace pipit {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class Records final : public RecordStore {
 public:
  Status write_records(std::span<const Change> changes) override {
    const std::lock_guard lock(mutex_);
    if (full_) return Error{ErrorKind::unavailable, "No space left on device"};
    for (const Change& change : changes) {
      if (change.value) {
        records_[change.key] = *change.value;
      } else {
        records_.erase(change.key);
      }
    }
    return {};
  }
  Result<std::vector<std::pair<std::string, std::string>>> read_records(std::string_view prefix) const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& [key, value] : records_) {
      if (key.starts_with(prefix)) found.emplace_back(key, value);
    }
    return found;
  }
  void fill() {
    const std::lock_guard lock(mutex_);
    full_ = true;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> records_;
  bool full_ = false;
};

constexpr const char* kJson = "Content-Type: application/json\r\n";
constexpr const char* kSilence =
    R"({"matchers":[{"name":"site","value":"a","isRegex":false}],"startsAt":"2026-01-01T00:00:00Z",)"
    R"("endsAt":"2099-01-01T00:00:00Z","createdBy":"me","comment":"moving"})";

class DeliveryHandlersTest : public ::testing::Test {
 protected:
  void start(bool delivering = true, const std::string& prefix = "") {
    if (delivering) {
      const std::string path = (folder_.path() / "alertmanager.yml").string();
      std::ofstream(path) << "route: {receiver: nobody, group_by: [alertname], group_wait: 1h}\n"
                             "receivers: [{name: nobody}, {name: other}]\n";
      auto config = load_delivery_config(path);
      ASSERT_TRUE(config.ok()) << config.error().message;
      delivery_ = std::make_unique<Delivery>(records_, metrics_, DeliveryOptions{.external_url = "http://x:9090"});
      ASSERT_TRUE(delivery_->apply(std::move(*config)).ok());
    }
    ServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    options.route_prefix = prefix;
    server_ = std::make_unique<Server>(options, ServerContext{.engine = engine_,
                                                              .source = store_,
                                                              .store = nullptr,
                                                              .scraping = nullptr,
                                                              .metrics = metrics_,
                                                              .config_text = {},
                                                              .flags = {},
                                                              .reload = {},
                                                              .quit = {},
                                                              .delivery = delivery_.get(),
                                                              .delivery_url = "http://x:9090"});
    ASSERT_TRUE(server_->start().ok());
    server_->set_ready();
    port_ = server_->ports().at(0);
  }

  TestResponse get(const std::string& path) { return fetch(port_, "GET", path); }
  TestResponse post(const std::string& path, const std::string& body, const std::string& headers = kJson) {
    return fetch(port_, "POST", path, headers, body);
  }
  std::string silence_id() { return json::parse(post("/api/v2/silences", kSilence).body)["silenceID"]; }
  /// The alerts, once there are so many.
  json alerts(std::size_t count, const std::string& query = "") {
    for (int i = 0;; ++i) {
      json found = json::parse(get("/api/v2/alerts" + query).body);
      if (found.size() == count || i == 500) return found;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  TemporaryFolder folder_;
  MemoryStore store_;
  MetricsRegistry metrics_;
  Engine engine_{store_, EngineOptions(), metrics_};
  Records records_;
  std::unique_ptr<Delivery> delivery_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
};

TEST_F(DeliveryHandlersTest, WithoutDeliveryTheApiSaysHowToHaveIt) {
  start(false);
  for (const char* path : {"/api/v2/alerts", "/api/v2/silences", "/api/v2/status", "/api/v2/nothing"}) {
    const TestResponse answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_THAT(answer.body, HasSubstr("--alertmanager.config.file")) << path;
  }
  EXPECT_EQ(get("/delivery").status, 200) << "the page says so, too";
}

TEST_F(DeliveryHandlersTest, WhatIsPostedIsThereWithItsGroupAndStatus) {
  start();
  const TestResponse posted = post("/api/v2/alerts", R"([{"labels":{"alertname":"Down","site":"a","none":""},
      "annotations":{"summary":"<b> \"x\""},"generatorURL":"http://p/g"},{"labels":{"alertname":"Up"}}])");
  EXPECT_EQ(posted.status, 200) << posted.body;
  const json all = alerts(2);
  ASSERT_EQ(all.size(), 2U);
  const json down = alerts(1, "?filter=alertname%3DDown").at(0);
  EXPECT_EQ(down["labels"], (json{{"alertname", "Down"}, {"site", "a"}}));
  EXPECT_EQ(down["annotations"], (json{{"summary", "<b> \"x\""}}));
  EXPECT_EQ(down["receivers"], (json::array({{{"name", "nobody"}}})));
  EXPECT_EQ(down["status"], (json{{"state", "active"},
                                  {"silencedBy", json::array()},
                                  {"inhibitedBy", json::array()},
                                  {"mutedBy", json::array()}}));
  EXPECT_EQ(down["generatorURL"], "http://p/g");
  const json groups = json::parse(get("/api/v2/alerts/groups").body);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0]["labels"], (json{{"alertname", "Down"}}));
  EXPECT_EQ(groups[0]["receiver"]["name"], "nobody");

  const std::string id = silence_id();
  const json silenced = alerts(1, "?active=false").at(0);
  EXPECT_EQ(silenced["status"]["state"], "suppressed");
  EXPECT_EQ(silenced["status"]["silencedBy"], json::array({id}));
  EXPECT_EQ(alerts(1, "?silenced=false").at(0)["labels"]["alertname"], "Up");
  EXPECT_EQ(json::parse(get("/api/v2/alerts?receiver=oth.*").body), json::array());
}

TEST_F(DeliveryHandlersTest, ASilenceIsAddedChangedExpiredAndKept) {
  start();
  const std::string id = silence_id();
  const json silence = json::parse(get("/api/v2/silence/" + id).body);
  EXPECT_EQ(silence["status"]["state"], "active");
  EXPECT_EQ(silence["endsAt"], "2099-01-01T00:00:00.000Z");
  EXPECT_EQ(silence["matchers"], json::parse(R"([{"isEqual":true,"isRegex":false,"name":"site","value":"a"}])"));
  EXPECT_EQ(json::parse(get("/api/v2/silences?filter=site%3Db").body), json::array());
  EXPECT_EQ(fetch(port_, "DELETE", "/api/v2/silence/" + id).status, 200);
  const json expired = json::parse(get("/api/v2/silence/" + id).body);
  EXPECT_EQ(expired["status"]["state"], "expired");
  EXPECT_EQ(fetch(port_, "DELETE", "/api/v2/silence/" + id).status, 200) << "what is over may be ended again";
  EXPECT_EQ(json::parse(get("/api/v2/silence/" + id).body), expired);
}

TEST_F(DeliveryHandlersTest, TimesAreTakenInTheFormsThatAlertmanagerTakes) {
  start();
  const std::pair<const char*, const char*> times[] = {{"2096-11-23T09:00:00+02:00", "2096-11-23T07:00:00.000Z"},
                                                       {"2096-11-23T09:00:00.123456789Z", "2096-11-23T09:00:00.123Z"},
                                                       {"2096-11-23T09:00:00.5", "2096-11-23T09:00:00.500Z"},
                                                       {"2096-11-23T09:00:00", "2096-11-23T09:00:00.000Z"},
                                                       {"2096-11-23 09:00:00", "2096-11-23T09:00:00.000Z"},
                                                       {"2096-11-23T09:00Z", "2096-11-23T09:00:00.000Z"},
                                                       {"2096-11-23T09:00", "2096-11-23T09:00:00.000Z"}};
  for (const auto& [given, shown] : times) {
    json silence = json::parse(kSilence);
    silence["endsAt"] = given;
    const TestResponse answer = post("/api/v2/silences", silence.dump());
    ASSERT_EQ(answer.status, 200) << given << answer.body;
    const std::string id = json::parse(answer.body)["silenceID"];
    EXPECT_EQ(json::parse(get("/api/v2/silence/" + id).body)["endsAt"], shown) << given;
  }
  for (const char* wrong :
       {"2096-11-23", "4000000000", "2096-11-23T09", "2096-11-23T09:0", "tomorrow", "2096-11-23T09:00x"}) {
    json silence = json::parse(kSilence);
    silence["endsAt"] = wrong;
    EXPECT_EQ(post("/api/v2/silences", silence.dump()).status, 400) << wrong;
  }
  EXPECT_EQ(post("/api/v2/alerts", R"([{"labels":{"a":"b"},"startsAt":"","endsAt":""}])").status, 200);
  EXPECT_EQ(post("/api/v2/alerts", "[]", "Content-Type: Application/JSON; charset=utf-8\r\n").status, 200);
}

TEST_F(DeliveryHandlersTest, SilencesAreFilteredByTheMatchersThatTheyHave) {
  start();
  json silence = json::parse(kSilence);
  silence["matchers"] = {{{"name", "site"}, {"value", "a|b"}, {"isRegex", true}},
                         {{"name", "team"}, {"value", "ops"}, {"isRegex", false}, {"isEqual", false}}};
  ASSERT_EQ(post("/api/v2/silences", silence.dump()).status, 200);
  const std::pair<const char*, std::size_t> filters[] = {
      {"site=~a|b", 1},  {"team!=ops", 1},  {"site=~a|b&filter=team!=ops", 1}, {"site=a", 0},   {"site=~a|b|c", 0},
      {"team!=else", 0}, {"nothing!=x", 0}, {"site=~a|b&filter=team=ops", 0},  {"site=~.*", 0}, {"site!~a|b", 0}};
  for (const auto& [filter, count] : filters) {
    std::string query = filter;
    for (std::size_t at; (at = query.find('|')) != std::string::npos;) query.replace(at, 1, "%7C");
    EXPECT_EQ(json::parse(get("/api/v2/silences?filter=" + query).body).size(), count) << filter;
  }
}

TEST_F(DeliveryHandlersTest, ASilenceOfAllButSomeIsTaken) {
  start();
  const std::tuple<const char*, bool, bool, int> matchers[] = {
      {"a", false, false, 200}, {"a", true, false, 200}, {"", false, true, 400}, {".*", true, true, 400}};
  for (const auto& [value, regex, equal, status] : matchers) {
    json silence = json::parse(kSilence);
    silence["matchers"] = {{{"name", "site"}, {"value", value}, {"isRegex", regex}, {"isEqual", equal}}};
    EXPECT_EQ(post("/api/v2/silences", silence.dump()).status, status) << silence;
  }
}

TEST_F(DeliveryHandlersTest, WrongBodiesAreRefusedWithAlertmanagersCodes) {
  start();
  const std::string unknown = "00000000-0000-4000-8000-000000000000";
  const struct {
    const char* path;
    std::string body;
    int status;
    const char* says;
  } cases[] = {
      {"alerts", "[", 400, "parsing alerts body"},
      {"alerts", "{}", 400, "it is no array"},
      {"alerts", "[1]", 400, "an alert is no object"},
      {"alerts", R"([{"labels":{"a":1}}])", 400, "labels is no string"},
      {"alerts", R"([{"labels":{"a":"b"},"startsAt":"yesterday"}])", 400, "yesterday"},
      {"alerts", R"([{"labels":{"a":"b"},"startsAt":5}])", 400, "startsAt"},
      {"alerts", R"([{"labels":{}}])", 400, "at least one label pair required"},
      {"alerts", R"([{}])", 422, "0.labels in body is required"},
      {"alerts", R"([{"labels":{"a":"b"},"generatorURL":"no url"}])", 422, "generatorURL"},
      {"alerts", "", 422, "alerts in body is required"},
      {"alerts", std::string(100'000, '['), 400, "nests too deep"},
      {"alerts", "[\"" + std::string(3u << 20, 'x') + "\"]", 413, "bytes at most"},
      {"silences", "{}", 422, "comment in body is required"},
      {"silences", "[]", 400, "no object"},
      {"silences", "{\"comment\":\"" + std::string(300u << 10, 'x') + "\"}", 413, "bytes at most"},
      {"silences", R"({"comment":"c","createdBy":"m","endsAt":"2099-01-01T00:00:00Z","matchers":[]})", 422,
       "at least 1 items"},
      {"silences",
       R"({"comment":"c","createdBy":"m","endsAt":"2099-01-01T00:00:00Z","matchers":[{"name":"a","value":"(","isRegex":true}]})",
       400, "invalid regular expression"},
  };
  for (const auto& c : cases) {
    const TestResponse answer = post("/api/v2/" + std::string(c.path), c.body);
    EXPECT_EQ(answer.status, c.status) << c.path << " " << c.body.substr(0, 100) << "\n" << answer.body;
    EXPECT_TRUE(json::accept(answer.body)) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(c.says));
  }
  EXPECT_EQ(post("/api/v2/alerts", "[]", "Content-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(post("/api/v2/alerts", "[]", "Content-Type: application/x-www-form-urlencoded\r\n").status, 415);
  json changed = json::parse(kSilence);
  changed["id"] = unknown;
  EXPECT_EQ(post("/api/v2/silences", changed.dump()).status, 404);
  EXPECT_EQ(fetch(port_, "DELETE", "/api/v2/silence/" + unknown).status, 404);
  EXPECT_EQ(fetch(port_, "DELETE", "/api/v2/silence/..%2f..%2f" + std::string(2000, 'x')).status, 422);
  EXPECT_EQ(fetch(port_, "DELETE", "/api/v2/silences").status, 405);
  EXPECT_EQ(get("/api/v2/nothing").status, 404);
  EXPECT_EQ(get("/api/v2/alerts?filter=x").status, 400);
  EXPECT_EQ(get("/api/v2/alerts?receiver=(").status, 400);
}

TEST_F(DeliveryHandlersTest, ASilenceThatCannotBeKeptIsNotAcknowledged) {
  start();
  records_.fill();
  const TestResponse answer = post("/api/v2/silences", kSilence);
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, HasSubstr("No space left"));
  EXPECT_EQ(json::parse(get("/api/v2/silences").body), json::array());
}

TEST_F(DeliveryHandlersTest, PagesOfOtherSitesMayNotWrite) {
  start();
  const std::string id = silence_id();
  for (const std::string header :
       {"Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n"}) {
    EXPECT_EQ(post("/api/v2/silences", kSilence, kJson + header).status, 403) << header;
    EXPECT_EQ(post("/api/v2/alerts", "[]", kJson + header).status, 403) << header;
    EXPECT_EQ(fetch(port_, "DELETE", "/api/v2/silence/" + id, header).status, 403) << header;
    EXPECT_EQ(fetch(port_, "GET", "/api/v2/silences", header).status, 200) << header;
  }
  EXPECT_EQ(post("/api/v2/silences", kSilence, std::string(kJson) + "Sec-Fetch-Site: same-origin\r\n").status, 200);
}

TEST_F(DeliveryHandlersTest, AllIsBelowThePrefix) {
  start(true, "/pipit");
  const std::string id = json::parse(post("/pipit/api/v2/silences", kSilence).body)["silenceID"];
  EXPECT_EQ(get("/pipit/api/v2/silence/" + id).status, 200);
  EXPECT_EQ(json::parse(get("/pipit/api/v2/status").body)["cluster"]["status"], "disabled");
  const TestResponse page = get("/pipit/delivery");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.header("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_THAT(page.body, HasSubstr("<code>pipit alert list</code>")) << "for browsers without JavaScript";
  const json managers = json::parse(get("/pipit/api/v1/alertmanagers").body);
  EXPECT_EQ(managers["data"]["activeAlertmanagers"], json::parse(R"([{"url":"http://x:9090/api/v2/alerts"}])"));
}

}  // namespace
}  // namespace pipit
