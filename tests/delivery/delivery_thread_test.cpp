// Delivery as a whole: its thread, a real webhook, and those who call it from elsewhere.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "delivery/delivery.h"
#include "model/duration.h"
#include "telemetry/metrics.h"
#include "tests/delivery/memory_records.h"
#include "tests/scrape/page_server.h"
#include "tests/scrape/request_stream.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Takes notifications and keeps them.
class Webhook {
 public:
  Webhook() : server_(PageServer::RawScript([this](int fd) { serve(fd); })) {}
  std::string url() const { return "http://" + server_.address() + "/"; }

  /// Waits for so many in all.
  std::vector<nlohmann::json> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait_for(lock, std::chrono::seconds(10), [&] { return bodies_.size() >= count; });
    return bodies_;
  }

 private:
  void serve(int fd) {
    RequestStream requests(fd);
    while (requests.next()) {
      {
        std::lock_guard lock(mutex_);
        bodies_.push_back(nlohmann::json::parse(requests.body));
        more_.notify_all();
      }
      (void)requests.answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<nlohmann::json> bodies_;
  PageServer server_;
};

DeliveryConfig config_for(const std::string& url) {
  auto config = parse_delivery_config(
      "route: {receiver: w, group_by: [job], group_wait: 0s, group_interval: 1s}\n"
      "receivers: [{name: w, webhook_configs: [{url: '" +
          url + "'}]}]",
      "am.yml");
  EXPECT_TRUE(config.ok()) << config.error().message;
  return std::move(*config);
}

AlertNotice firing(Labels labels) {
  AlertNotice notice;
  notice.labels = std::move(labels);
  notice.starts_at = now_ms();
  notice.ends_at = now_ms() + 600'000;
  return notice;
}

Silence quiet(std::string_view name, std::string_view value) {
  Silence silence;
  silence.matchers = {Matcher::equal(std::string(name), std::string(value))};
  silence.ends_at = now_ms() + 3'600'000;
  return silence;
}

TEST(DeliveryTest, TellsAndAfterARestartKnowsWhatItTold) {
  Webhook webhook;
  MemoryRecords records;
  MetricsRegistry metrics;
  {
    Delivery delivery(records, metrics, {});
    ASSERT_TRUE(delivery.apply(config_for(webhook.url())).ok());
    ASSERT_TRUE(delivery.set_silence(quiet("job", "b")).ok());
    EXPECT_EQ(records.count("silence/"), 1U);
    delivery.send({firing({{"job", "a"}}), firing({{"job", "b"}})});
    const auto bodies = webhook.wait_for(1);
    ASSERT_THAT(bodies, SizeIs(1));
    EXPECT_EQ(bodies[0]["groupLabels"]["job"], "a");
    EXPECT_THAT(delivery.alerts(), SizeIs(2));
    EXPECT_THAT(delivery.groups(), SizeIs(2));
    EXPECT_THAT(delivery.receivers(), ElementsAre("w"));
  }
  EXPECT_EQ(records.count("told/"), 1U);  // also when it is ended right behind
  Delivery delivery(records, metrics, {});
  ASSERT_TRUE(delivery.apply(config_for(webhook.url())).ok());
  EXPECT_THAT(delivery.silences(), SizeIs(1));
  EXPECT_THAT(delivery.alerts(), SizeIs(2));
  delivery.send({firing({{"job", "a"}}), firing({{"job", "c"}})});
  const auto bodies = webhook.wait_for(2);
  ASSERT_THAT(bodies, SizeIs(2));
  EXPECT_EQ(bodies[1]["groupLabels"]["job"], "c");
}

TEST(DeliveryTest, AnswersWhileItIsNotThere) {
  MemoryRecords records;
  MetricsRegistry metrics;
  Delivery delivery(records, metrics, {});
  delivery.send({firing({{"job", "a"}})});
  EXPECT_THAT(delivery.alerts(), IsEmpty());
  EXPECT_EQ(delivery.set_silence(quiet("a", "b")).error().kind, ErrorKind::unavailable);
  records.failing = true;
  EXPECT_EQ(delivery.apply(config_for("http://localhost:1/")).error().kind, ErrorKind::unavailable);
  records.failing = false;
  ASSERT_TRUE(delivery.apply(config_for("http://localhost:1/")).ok());
  records.failing = true;
  EXPECT_EQ(delivery.set_silence(quiet("a", "b")).error().kind, ErrorKind::unavailable);
  EXPECT_THAT(delivery.silences(), IsEmpty());
  records.failing = false;
  const auto id = delivery.set_silence(quiet("a", "b"));
  ASSERT_TRUE(id.ok());
  EXPECT_TRUE(delivery.expire_silence(*id).ok());
  EXPECT_EQ(delivery.expire_silence("x").error().kind, ErrorKind::not_found);
  delivery.stop();
  delivery.stop();
  delivery.send({firing({{"job", "a"}})});
  EXPECT_THAT(delivery.groups(), IsEmpty());
  EXPECT_EQ(delivery.apply(config_for("http://localhost:1/")).error().kind, ErrorKind::unavailable);
}

TEST(DeliveryTest, ManyCallAtOnce) {
  Webhook webhook;
  MemoryRecords records;
  MetricsRegistry metrics;
  Delivery delivery(records, metrics, {});
  ASSERT_TRUE(delivery.apply(config_for(webhook.url())).ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        delivery.send({firing({{"job", std::to_string(t)}, {"i", std::to_string(i)}})});
        if (i % 10 == 0) (void)delivery.set_silence(quiet("x", std::to_string(i)));
        if (i % 10 == 1) (void)delivery.groups();
        if (i % 25 == 2) (void)delivery.apply(config_for(webhook.url()));
        if (i == 45 && t == 3) delivery.stop();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace pipit
