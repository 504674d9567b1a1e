#include "rules/alertmanager_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "scrape/http_access.h"
#include "scrape/page_buffer.h"
#include "scrape/target.h"
#include "tests/scrape/page_server.h"
#include "tests/scrape/request_stream.h"

namespace pipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

/// Takes alerts, and answers as a test wants.
class Alertmanager {
 public:
  static constexpr int kHang = 0;
  using Judge = std::function<int(int request)>;  ///< the status; `request` counts from 1

  explicit Alertmanager(Judge judge)
      : judge_(std::move(judge)), server_(PageServer::RawScript([this](int fd) { serve(fd); })) {}

  std::string url() const { return "http://" + server_.address() + "/api/v2/alerts"; }
  /// Names of the alerts of each request.
  std::vector<std::vector<std::string>> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string last_body() const {
    const std::lock_guard lock(mutex_);
    return last_body_;
  }
  std::string last_head() const {
    const std::lock_guard lock(mutex_);
    return last_head_;
  }
  bool wait_for_requests(std::size_t count) const {
    for (int i = 0; i < 2000; ++i) {
      if (requests().size() >= count) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

 private:
  void serve(int fd) {
    RequestStream requests(fd);
    while (requests.next()) {
      const int status = take(requests.head, requests.body);
      if (status == kHang) continue;
      if (!requests.answer("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 3\r\n\r\nso\n")) return;
    }
  }

  int take(const std::string& head, const std::string& body) {
    const std::lock_guard lock(mutex_);
    last_head_ = head;
    last_body_ = body;
    auto& names = requests_.emplace_back();
    for (const auto& alert : nlohmann::json::parse(body)) names.push_back(alert["labels"]["alertname"]);
    return judge_(static_cast<int>(requests_.size()));
  }

  mutable std::mutex mutex_;
  Judge judge_;
  std::vector<std::vector<std::string>> requests_;
  std::string last_head_;
  std::string last_body_;
  PageServer server_;  ///< ends first
};

class AlertmanagerQueueTest : public testing::Test {
 protected:
  ~AlertmanagerQueueTest() override {
    if (queue_) boost::asio::post(io_, [this] { queue_->stop(); });
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

  void start(const std::string& url, std::size_t capacity = 100, std::size_t batch_size = 3) {
    AlertmanagerQueue::Settings settings{.url = *parse_http_url(url),
                                         .access = nullptr,
                                         .timeout = 300ms,
                                         .user_agent = "Pipit/test",
                                         .capacity = capacity,
                                         .batch_size = batch_size};
    queue_ = std::make_shared<AlertmanagerQueue>(io_, client_, metrics_, std::move(settings));
    thread_ = std::thread([this] { io_.run(); });
  }

  static std::shared_ptr<const AlertNotice> alert(const std::string& name, TimestampMs ends_at = 2000) {
    return std::make_shared<const AlertNotice>(
        AlertNotice{Labels{{"alertname", name}}, {{"summary", "it \"hurts\""}}, 1000, ends_at, "http://pipit/graph"});
  }
  void wake() {
    boost::asio::post(io_, [this] { queue_->wake(); });
  }
  /// What /metrics says.
  std::string metric(const std::string& name) const {
    const std::string page = metrics_.render();
    const auto at = page.find("\nprometheus_notifications_" + name + "{");
    if (at == std::string::npos) return "missing";
    const auto value = page.find("} ", at) + 2;
    return page.substr(value, page.find('\n', value) - value);
  }
  bool wait_for_metric(const std::string& name, const std::string& value) const {
    for (int i = 0; i < 2000; ++i) {
      if (metric(name) == value) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

  MetricsRegistry metrics_;
  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_{io_.get_executor()};
  PageBufferPool pages_;
  HttpClient client_{io_, pages_};
  std::shared_ptr<AlertmanagerQueue> queue_;
  std::thread thread_;
};

TEST_F(AlertmanagerQueueTest, SendsInBatchesWhatApiV2Takes) {
  Alertmanager receiver([](int) { return 200; });
  start(receiver.url());
  queue_->add({alert("a"), alert("b"), alert("c"), alert("d")});
  wake();
  ASSERT_TRUE(wait_for_metric("sent_total", "4"));
  EXPECT_THAT(receiver.requests(), ElementsAre(ElementsAre("a", "b", "c"), ElementsAre("d")));
  EXPECT_EQ(
      receiver.last_body(),
      R"([{"annotations":{"summary":"it \"hurts\""},"endsAt":"1970-01-01T00:00:02.000Z",)"
      R"("generatorURL":"http://pipit/graph","labels":{"alertname":"d"},"startsAt":"1970-01-01T00:00:01.000Z"}])");
  EXPECT_THAT(receiver.last_head(), HasSubstr("POST /api/v2/alerts HTTP/1.1\r\n"));
  EXPECT_THAT(receiver.last_head(), HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(metric("queue_length"), "0");
}

TEST_F(AlertmanagerQueueTest, AFullQueueGivesUpTheOldest) {
  Alertmanager receiver([](int) { return 200; });
  start(receiver.url(), 3, 10);
  queue_->add({alert("a"), alert("b")});
  queue_->add({alert("c"), alert("a", 3000), alert("d")});  // a is newest but for d
  EXPECT_EQ(metric("queue_length"), "3");
  EXPECT_EQ(metric("dropped_total"), "1");
  wake();
  ASSERT_TRUE(receiver.wait_for_requests(1));
  EXPECT_THAT(receiver.requests()[0], ElementsAre("c", "a", "d"));
  EXPECT_THAT(receiver.last_body(), HasSubstr("\"endsAt\":\"1970-01-01T00:00:03.000Z\""));
}

TEST_F(AlertmanagerQueueTest, TriesAgainWithTheNewestState) {
  Alertmanager receiver([](int request) { return request == 1 ? 500 : 200; });
  start(receiver.url());
  queue_->add({alert("a"), alert("b")});
  wake();
  ASSERT_TRUE(wait_for_metric("errors_total", "2"));
  EXPECT_TRUE(wait_for_metric("queue_length", "2"));
  queue_->add({alert("a", 5000)});  // resolved meanwhile
  wake();                           // which does not hurry it
  ASSERT_TRUE(wait_for_metric("sent_total", "2"));
  EXPECT_THAT(receiver.requests(), ElementsAre(ElementsAre("a", "b"), ElementsAre("b", "a")));
  EXPECT_THAT(receiver.last_body(), HasSubstr("\"endsAt\":\"1970-01-01T00:00:05.000Z\""));
  EXPECT_EQ(metric("dropped_total"), "0");
}

TEST_F(AlertmanagerQueueTest, AHangingReceiverIsLeftAndTriedAgain) {
  Alertmanager receiver([](int request) { return request < 3 ? Alertmanager::kHang : 200; });
  start(receiver.url());
  const auto begin = std::chrono::steady_clock::now();
  queue_->add({alert("a")});
  wake();
  ASSERT_TRUE(wait_for_metric("sent_total", "1"));
  EXPECT_THAT(receiver.requests(), SizeIs(3));
  EXPECT_EQ(metric("errors_total"), "2");
  // Twice the timeout, half a second, a second.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 2100ms);
}

TEST_F(AlertmanagerQueueTest, ARefusalIsForGoodAndTheNextGoOn) {
  Alertmanager receiver([](int request) { return request == 1 ? 400 : 200; });
  start(receiver.url(), 100, 2);
  queue_->add({alert("a"), alert("b"), alert("c")});
  wake();
  ASSERT_TRUE(wait_for_metric("sent_total", "1"));
  EXPECT_THAT(receiver.requests(), ElementsAre(ElementsAre("a", "b"), ElementsAre("c")));
  EXPECT_EQ(metric("dropped_total"), "2");
  EXPECT_EQ(metric("errors_total"), "2");
}

TEST_F(AlertmanagerQueueTest, TooManyRequestsIsNoRefusal) {
  Alertmanager receiver([](int request) { return request == 1 ? 429 : 200; });
  start(receiver.url());
  queue_->add({alert("a")});
  wake();
  ASSERT_TRUE(wait_for_metric("sent_total", "1"));
  EXPECT_EQ(metric("dropped_total"), "0");
}

TEST_F(AlertmanagerQueueTest, NobodyListens) {
  // A port that nobody else can take meanwhile.
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  start("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/api/v2/alerts", 5, 2);
  for (int i = 0; i < 50; ++i) {
    queue_->add({alert("a" + std::to_string(i))});
    wake();
  }
  // Five, with or without the one or two that were taken out before all had come, and are tried again.
  const auto waits = [this] {
    const std::string length = metric("queue_length");
    return metric("errors_total") != "0" && (length == "5" || length == "6" || length == "7");
  };
  for (int i = 0; i < 2000 && !waits(); ++i) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(waits()) << metric("queue_length");
  EXPECT_EQ(metric("sent_total"), "0");
  ::close(fd);
}

TEST_F(AlertmanagerQueueTest, TheLastTryWaitsForNoBackoff) {
  for (const int status : {200, 500}) {
    SCOPED_TRACE(status);
    Alertmanager receiver([status](int request) { return request == 1 ? 500 : status; });
    start(receiver.url());
    queue_->add({alert("a")});
    wake();
    ASSERT_TRUE(wait_for_metric("errors_total", "1"));
    std::promise<void> done;
    boost::asio::post(io_, [&] { queue_->flush([&] { done.set_value(); }); });
    EXPECT_EQ(done.get_future().wait_for(10s), std::future_status::ready);
    EXPECT_EQ(metric("sent_total"), status == 200 ? "1" : "0");
    EXPECT_THAT(receiver.requests(), SizeIs(2));
    // The next has metrics of its own.
    boost::asio::post(io_, [this] { queue_->stop(); });
    work_.reset();
    thread_.join();
    queue_.reset();
    EXPECT_EQ(metric("sent_total"), "missing");
    io_.restart();
    work_.emplace(io_.get_executor());
  }
}

}  // namespace
}  // namespace pipit
