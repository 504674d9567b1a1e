#include "delivery/heartbeat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "telemetry/metrics.h"
#include "tests/scrape/page_server.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <class Condition>
bool comes_true(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

PageServer::Script answer(const char* text) {
  return [text](const std::string&, PageServer::Peer& peer) { return peer.send(text); };
}
constexpr const char* kGood = "HTTP/1.1 204 No Content\r\n\r\n";

HeartbeatOptions to(const PageServer& server, const std::string& path = "/ping/s3cret") {
  return {.url = "http://" + server.address() + path, .interval = 50};
}

TEST(Heartbeat, CallsTheUrlAgainAndAgain) {
  PageServer server(answer(kGood));
  MetricsRegistry metrics;
  auto heartbeat = Heartbeat::start(to(server), metrics, [] { return std::string(); });
  ASSERT_TRUE(heartbeat.ok());
  EXPECT_TRUE(comes_true([&] { return server.requests().size() >= 3; }));
  EXPECT_THAT(server.requests().front(), HasSubstr("GET /ping/s3cret HTTP/1.1\r\n"));
  EXPECT_THAT(metrics.render(), HasSubstr("pipit_heartbeat_alive 1\n"));
  heartbeat->reset();
  const auto count = server.requests().size();
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  EXPECT_EQ(server.requests().size(), count) << "none after the end";
}

TEST(Heartbeat, PostsWhereItIsToldTo) {
  PageServer server(answer(kGood));
  MetricsRegistry metrics;
  HeartbeatOptions options = to(server);
  options.post = true;
  const auto heartbeat = Heartbeat::start(options, metrics, [] { return std::string(); });
  EXPECT_TRUE(comes_true([&] { return !server.requests().empty(); }));
  EXPECT_THAT(server.requests().front(), HasSubstr("POST /ping/s3cret HTTP/1.1\r\n"));
}

TEST(Heartbeat, KeepsSilentWhileSomethingIsNotAlive) {
  PageServer server(answer(kGood));
  MetricsRegistry metrics;
  std::atomic<bool> alive = false;
  std::atomic<int> asked = 0;
  const auto heartbeat = Heartbeat::start(to(server), metrics, [&] {
    ++asked;
    return std::string(alive ? "" : "no target was scraped for 100 s");
  });
  EXPECT_TRUE(comes_true([&] { return asked >= 3; }));
  EXPECT_TRUE(server.requests().empty());
  EXPECT_THAT(metrics.render(), HasSubstr("pipit_heartbeat_alive 0\n"));
  alive = true;
  EXPECT_TRUE(comes_true([&] { return !server.requests().empty(); }));
}

TEST(Heartbeat, AFailureIsCountedAndLoggedOnceWithoutTheSecret) {
  PageServer server(answer("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"));
  MetricsRegistry metrics;
  ::testing::internal::CaptureStderr();
  {
    const auto heartbeat = Heartbeat::start(to(server), metrics, [] { return std::string(); });
    EXPECT_TRUE(comes_true([&] { return server.requests().size() >= 3; }));
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("bad response status 500"));
  EXPECT_THAT(log, HasSubstr(server.address() + "/<secret>"));
  EXPECT_THAT(log, Not(HasSubstr("s3cret")));
  EXPECT_EQ(log.find("is not answered"), log.rfind("is not answered"));
  EXPECT_THAT(metrics.render(), Not(HasSubstr("pipit_heartbeats_failed_total 0\n")));
}

TEST(Heartbeat, ADeadServerIsNoHarmAndNoLeak) {
  MetricsRegistry metrics;
  ::testing::internal::CaptureStderr();
  {
    const auto heartbeat = Heartbeat::start({.url = "http://me:pass@127.0.0.1:1/s3cret?k=v", .interval = 50}, metrics,
                                            [] { return std::string(); });
    EXPECT_TRUE(
        comes_true([&] { return metrics.render().find("pipit_heartbeats_failed_total 0\n") == std::string::npos; }));
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("http://127.0.0.1:1/<secret>"));
  for (const char* secret : {"s3cret", "pass", "k=v"}) EXPECT_THAT(log, Not(HasSubstr(secret)));
}

TEST(Heartbeat, AServerThatNeverAnswersEndsWithTheHeartbeat) {
  PageServer server(PageServer::Script([](const std::string&, PageServer::Peer& peer) {
    peer.hang();
    return false;
  }));
  MetricsRegistry metrics;
  auto heartbeat =
      Heartbeat::start({.url = "http://" + server.address() + "/", .interval = 600'000, .timeout = 600'000}, metrics,
                       [] { return std::string(); });
  EXPECT_TRUE(comes_true([&] { return !server.requests().empty(); }));
  heartbeat->reset();
}

TEST(Heartbeat, AWrongUrlIsRefused) {
  MetricsRegistry metrics;
  for (const char* url : {"", "ftp://x/", "example.org", "http://"}) {
    EXPECT_FALSE(Heartbeat::start({.url = url}, metrics, [] { return std::string(); }).ok()) << url;
    EXPECT_EQ(shown_heartbeat_url(url), "<secret>");
  }
  EXPECT_EQ(shown_heartbeat_url("https://hc-ping.com/uuid"), "https://hc-ping.com/<secret>");
  EXPECT_EQ(shown_heartbeat_url("https://example.org"), "https://example.org/");
}

}  // namespace
}  // namespace pipit
