#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "delivery/webhook.h"
#include "tests/delivery/integration_fixture.h"
#include "tests/scrape/page_server.h"
#include "tests/scrape/request_stream.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Kind = DeliveryOutcome::Kind;

/// Takes POSTs and answers all of them the same.
class Receiver {
 public:
  explicit Receiver(std::string answer)
      : answer_(std::move(answer)), server_(PageServer::RawScript([this](int fd) { serve(fd); })) {}

  std::string url() const { return "http://" + server_.address() + "/T000/geheim"; }
  std::string base() const { return "http://" + server_.address(); }
  std::string head() const { return locked(head_); }
  std::string body() const { return locked(body_); }

  static std::string answer(const std::string& status, const std::string& body, const std::string& headers = "") {
    return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
  }

 private:
  std::string locked(const std::string& text) const {
    std::lock_guard lock(mutex_);
    return text;
  }

  void serve(int fd) {
    RequestStream requests(fd);
    while (requests.next()) {
      {
        std::lock_guard lock(mutex_);
        head_ = requests.head;
        body_ = requests.body;
      }
      if (answer_ == "close") return;
      if (answer_ == "hang") continue;
      (void)requests.answer(answer_);
    }
  }

  std::string answer_;
  mutable std::mutex mutex_;
  std::string head_, body_;
  PageServer server_;
};

const std::string kOk = Receiver::answer("200 OK", "ok", "Content-Type: text/plain\r\n");

std::string webhook_to(const std::string& url, const std::string& more = "") {
  return "name: w\nwebhook_configs: [{url: '" + url + "'" + more + "}]";
}

using HttpIntegrationsTest = IntegrationTest;

TEST_F(HttpIntegrationsTest, WebhookSaysAlertmanagersJson) {
  Receiver receiver(kOk);
  const DeliveryOutcome outcome = tell(webhook_to(receiver.url()));
  EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.reason;
  EXPECT_THAT(receiver.head(), HasSubstr("POST /T000/geheim HTTP/1.1"));
  EXPECT_THAT(receiver.head(), HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(receiver.head(), HasSubstr("User-Agent: Pipit/test\r\n"));
  const std::string first =
      R"({"receiver":"web \"team\"","status":"firing","alerts":[{"status":"firing","labels":{)"
      R"("alertname":"Down","evil":"\u003cb\u003e\"'\u0026","instance":"a:80","severity":"page"},)"
      R"("annotations":{"summary":"It is down"},"startsAt":"2026-11-23T05:30:00.5Z",)"
      R"("endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/graph?x=1\u0026y=2",)";
  EXPECT_EQ(receiver.body().substr(0, first.size()), first);
  EXPECT_THAT(receiver.body(), HasSubstr(R"("endsAt":"2026-11-23T05:40:00Z")"));
  EXPECT_TRUE(receiver.body().ends_with(
      R"("groupLabels":{"alertname":"Down"},"commonLabels":{"alertname":"Down","severity":"page"},)"
      R"("commonAnnotations":{"summary":"It is down"},"externalURL":"http://pipit:9090","version":"4",)"
      R"("groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":0})"
      "\n"))
      << receiver.body();
  EXPECT_THAT(outcome.conversation, Not(HasSubstr("geheim")));
}

TEST_F(HttpIntegrationsTest, WebhookTruncates) {
  Receiver receiver(kOk);
  EXPECT_EQ(tell(webhook_to(receiver.url(), ", max_alerts: 1")).kind, Kind::delivered);
  const auto body = nlohmann::json::parse(receiver.body());
  EXPECT_EQ(body["alerts"].size(), 1u);
  EXPECT_EQ(body["truncatedAlerts"], 1);
}

struct Failure {
  std::string answer;
  Kind kind;
  const char* reason;
};

TEST_F(HttpIntegrationsTest, TellsWhatMayGoWellLaterFromWhatWillNot) {
  const Failure cases[] = {
      {Receiver::answer("500 Oops", "broken\nmore"), Kind::failed, "unexpected status code 500: broken"},
      {Receiver::answer("429 Slow", "", "Retry-After: 7\r\n"), Kind::failed, "unexpected status code 429"},
      {Receiver::answer("404 No", "no such hook"), Kind::refused, "unexpected status code 404: no such hook"},
      {Receiver::answer("302 Found", "", "Location: http://elsewhere/\r\n"), Kind::refused,
       "unexpected status code 302"},
      {"close", Kind::failed, "Post \"<redacted>\": EOF"},
      {"hang", Kind::failed, "Post \"<redacted>\": context deadline exceeded"},
      {"nonsense\r\n\r\n", Kind::failed, "Post \"<redacted>\": "},
      {Receiver::answer("200 OK", std::string(2 << 20, 'x')), Kind::failed, "Post \"<redacted>\": "},
  };
  for (const Failure& each : cases) {
    Receiver receiver(each.answer);
    const DeliveryOutcome outcome = tell(webhook_to(receiver.url(), ", timeout: 300ms"));
    EXPECT_EQ(outcome.kind, each.kind) << each.reason << ": " << outcome.reason;
    EXPECT_THAT(outcome.reason, HasSubstr(each.reason));
    EXPECT_THAT(outcome.reason + outcome.conversation, Not(HasSubstr("geheim")));
  }
  Receiver busy(cases[1].answer);
  EXPECT_EQ(tell(webhook_to(busy.url())).retry_after, 7000);
  const DeliveryOutcome nobody = tell(webhook_to("http://127.0.0.1:1/geheim"));
  EXPECT_EQ(nobody.kind, Kind::failed);
  EXPECT_THAT(nobody.reason, HasSubstr("connection refused"));
  EXPECT_THAT(nobody.reason, Not(HasSubstr("geheim")));
}

TEST_F(HttpIntegrationsTest, WhatTheOtherSideShowsOfSecretsIsTakenOut) {
  const char* echoes[] = {
      R"({"error":"no hook at \/T000\/geheim-1"})",  // as PHP writes JSON
      "no hook %2FT000%2Fgeheim-1",                  // as part of another URL
      "unknown token geheim-1",                      //
      R"({"headers":{"Authorization":"Bearer geheim-2+\/x","X-Key":"geheim-3"}})",
      R"({"auth":"geheim-2"})",
  };
  for (const char* echo : echoes) {
    Receiver receiver(Receiver::answer("404 Not Found", echo));
    const DeliveryOutcome outcome =
        tell(webhook_to(receiver.base() + "/T000/geheim-1",
                        ", http_config: {authorization: {credentials: 'geheim-2+/x'}, http_headers: {X-Key: {secrets: "
                        "[geheim-3]}}}"));
    EXPECT_THAT(receiver.head(), HasSubstr("Bearer geheim-2+/x"));
    EXPECT_THAT(outcome.reason, HasSubstr("<redacted>"));
    EXPECT_THAT(outcome.reason + outcome.conversation, Not(HasSubstr("geheim"))) << echo;
  }
  Receiver basic(Receiver::answer("500 Oops", "you are Basic bWU6Z2VoZWltLTQ=, me:geheim-4"));
  const DeliveryOutcome outcome =
      tell(webhook_to(basic.base() + "/", ", http_config: {basic_auth: {username: me, password: geheim-4}}"));
  EXPECT_THAT(basic.head(), HasSubstr("bWU6Z2VoZWltLTQ="));
  EXPECT_THAT(outcome.reason + outcome.conversation, Not(HasSubstr("bWU6")));
  EXPECT_THAT(outcome.reason + outcome.conversation, Not(HasSubstr("geheim")));
}

TEST_F(HttpIntegrationsTest, ReadsAUrlFromItsFileEachTime) {
  const auto file = std::filesystem::temp_directory_path() / ("pipit_url_" + std::to_string(::getpid()));
  std::filesystem::remove(file);
  const std::string yaml = "name: w\nwebhook_configs: [{url_file: '" + file.string() + "'}]";
  EXPECT_EQ(tell(yaml).kind, Kind::failed) << "the file may come";
  Receiver receiver(kOk);
  std::ofstream(file) << receiver.url() << "\n";
  EXPECT_EQ(tell(yaml).kind, Kind::delivered);
  std::filesystem::remove(file);
}

TEST_F(HttpIntegrationsTest, SlackGetsAnAttachment) {
  Receiver receiver(kOk);
  const DeliveryOutcome outcome = tell(
      "name: s\nslack_configs: [{channel: '#ops-{{ .Status }}', fields: [{title: t, value: '{{ .Receiver }}'}], "
      "actions: "
      "[{type: button, text: Look, url: 'http://x'}], link_names: true}]",
      "slack_api_url: '" + receiver.url() + "'");
  EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.reason;
  const auto body = nlohmann::json::parse(receiver.body());
  EXPECT_EQ(body["channel"], "#ops-firing");
  EXPECT_EQ(body["link_names"], true);
  const auto& attachment = body["attachments"][0];
  EXPECT_EQ(attachment["title"], "[FIRING:1] Down (page)");
  EXPECT_EQ(attachment["color"], "danger");
  EXPECT_EQ(attachment["fields"], nlohmann::json::parse(R"([{"title":"t","value":"web \"team\"","short":false}])"));
  EXPECT_EQ(attachment["actions"][0]["url"], "http://x");
  EXPECT_EQ(attachment["mrkdwn_in"].size(), 3u);
}

TEST_F(HttpIntegrationsTest, SlackRefusesWithTwoHundred) {
  const std::string json = "Content-Type: application/json; charset=utf-8\r\n";
  Receiver refuses(Receiver::answer("200 OK", R"({"ok":false,"error":"channel_not_found"})", json));
  const std::string yaml = "name: s\nslack_configs: [{app_token: xoxb-geheim, app_url: '";
  const DeliveryOutcome outcome = tell(yaml + refuses.base() + "/api'}]");
  EXPECT_EQ(outcome.kind, Kind::refused);
  EXPECT_EQ(outcome.reason, "error response from Slack: channel_not_found");
  EXPECT_THAT(refuses.head(), HasSubstr("Authorization: Bearer xoxb-geheim\r\n"));
  EXPECT_THAT(outcome.conversation, Not(HasSubstr("geheim")));
  Receiver takes(Receiver::answer("200 OK", R"({"ok":true})", json));
  EXPECT_EQ(tell(yaml + takes.base() + "/api'}]").kind, Kind::delivered);
}

TEST_F(HttpIntegrationsTest, TelegramGetsAMessage) {
  Receiver receiver(Receiver::answer("200 OK", R"({"ok":true})"));
  const std::string yaml =
      "name: t\ntelegram_configs: [{bot_token: '1:geheim', chat_id: -1001, message_thread_id: 5, "
      "api_url: '" +
      receiver.base() + "'}]";
  const DeliveryOutcome outcome = tell(yaml);
  EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.reason;
  EXPECT_THAT(receiver.head(), HasSubstr("POST /bot1:geheim/sendMessage "));
  const auto body = nlohmann::json::parse(receiver.body());
  EXPECT_EQ(body["chat_id"], -1001);
  EXPECT_EQ(body["message_thread_id"], 5);
  EXPECT_EQ(body["parse_mode"], "HTML");
  EXPECT_TRUE(body["text"].get<std::string>().starts_with("<b>FIRING: Down on a:80: It is down</b>\n")) << body["text"];
  EXPECT_THAT(outcome.conversation, Not(HasSubstr("geheim")));
}

TEST_F(HttpIntegrationsTest, TelegramSaysWhenToComeAgain) {
  Receiver receiver(Receiver::answer(
      "429 Too Many",
      R"({"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":3}})"));
  const DeliveryOutcome outcome =
      tell("name: t\ntelegram_configs: [{bot_token: '1:geheim', chat_id: 1, api_url: '" + receiver.base() + "'}]");
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_EQ(outcome.retry_after, 3000);
  EXPECT_EQ(outcome.reason, "telegram: Too Many Requests (429)");
}

TEST_F(HttpIntegrationsTest, DiscordGetsAnEmbedWithinItsLimits) {
  Receiver receiver("HTTP/1.1 204 No Content\r\n\r\n");
  Notification notification = test_notification();
  for (int i = 0; i < 100; ++i) {
    notification.alerts.push_back(test_alert({{"alertname", "Down"}, {"instance", "i" + std::to_string(i)}},
                                             {{"summary", std::string(80, 'x')}}, kTestNow));
  }
  const DeliveryOutcome outcome =
      tell("name: d\ndiscord_configs: [{webhook_url: '" + receiver.url() + "', username: Pipit}]", "", notification);
  EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.reason;
  const auto body = nlohmann::json::parse(receiver.body());
  EXPECT_EQ(body["username"], "Pipit");
  EXPECT_EQ(body["embeds"][0]["color"], 0x992d22);
  EXPECT_TRUE(body["embeds"][0]["description"].get<std::string>().ends_with("\u2026"));
  EXPECT_LE(body["embeds"][0]["description"].get<std::string>().size(), 4096u + 2u);
}

TEST_F(HttpIntegrationsTest, ATemplateThatFailsIsRefused) {
  const DeliveryOutcome outcome =
      tell("name: d\ndiscord_configs: [{webhook_url: 'http://127.0.0.1:1/', title: '{{ .Nope }}'}]");
  EXPECT_EQ(outcome.kind, Kind::refused);
  EXPECT_THAT(outcome.reason, HasSubstr("can't evaluate field Nope"));
}

}  // namespace
}  // namespace pipit
