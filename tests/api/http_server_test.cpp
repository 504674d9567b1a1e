#include "api/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/http_exchange.h"
#include "telemetry/metrics.h"
#include "tests/api/http_client.h"

namespace pipit {
namespace {

/// `count` lines of 1,000 bytes.
class LinesBody final : public BodySource {
 public:
  LinesBody(std::size_t count, std::atomic<std::size_t>& made) : count_(count), made_(made) {}
  bool next(std::string& out) override {
    for (std::size_t i = 0; i < 64 && count_ > 0; ++i, --count_) out.append(std::string(999, 'x') + "\n");
    made_ += 64;
    return count_ > 0;
  }

 private:
  std::size_t count_;
  std::atomic<std::size_t>& made_;
};

/// A server whose handlers show what arrived, can be held up, and can be long.
class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpServerOptions options = {}) {
    options.listen_addresses = {"127.0.0.1:0"};
    options_ = options;
    exchange_ = std::make_unique<HttpExchange>([this](const HttpRequest& request) { return handle(request); }, 300'000);
    server_ = make_server(options);
    ASSERT_TRUE(server_->start().ok());
    port_ = server_->ports().at(0);
  }

  std::unique_ptr<HttpServer> make_server(const HttpServerOptions& options) {
    return std::make_unique<HttpServer>(
        options,
        [this](RawRequest request, const std::atomic<bool>& canceled) {
          return exchange_->answer(std::move(request), canceled);
        },
        [](const RawRequest& request) {
          return request.target.starts_with("/slow") ? RequestClass::query : RequestClass::quick;
        },
        metrics_);
  }

  void TearDown() override {
    release();
    if (server_) server_->stop();
  }

  HttpResponse handle(const HttpRequest& request) {
    HttpResponse response;
    if (request.path.starts_with("/slow")) {
      std::unique_lock lock(mutex_);
      ++waiting_;
      changed_.notify_all();
      while (!released_ && !*request.canceled) changed_.wait_for(lock, std::chrono::milliseconds(5));
      if (*request.canceled) ++canceled_;
      --waiting_;
      changed_.notify_all();
    }
    if (request.path == "/lines") {
      response.rest = std::make_unique<LinesBody>(std::stoul(std::string(request.form.get("count"))), made_);
      return response;
    }
    if (request.path == "/throw") throw std::runtime_error("on purpose");
    response.body = request.method + " " + request.path + " " + std::string(request.form.get("q").substr(0, 20)) + " " +
                    std::to_string(request.form.get("q").size()) + "\n";
    return response;
  }

  void release() {
    std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  template <class Condition>
  bool wait_until(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), condition);
  }

  MetricsRegistry metrics_;
  HttpServerOptions options_;
  std::unique_ptr<HttpExchange> exchange_;
  std::unique_ptr<HttpServer> server_;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  int canceled_ = 0;
  bool released_ = false;
  std::atomic<std::size_t> made_{0};
};

TEST_F(HttpServerTest, AnswersRequestsOfEveryShape) {
  start();
  struct Case {
    std::string method, target, headers, body, answer;
  };
  const std::string form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
  const std::vector<Case> cases = {
      {"GET", "/a?q=1+2%2B3", "", "", "GET /a 1 2+3 5\n"},
      {"GET", "/a%20b?q=", "", "", "GET /a b  0\n"},
      {"GET", "/a?q=first&q=second#fragment", "", "", "GET /a first 5\n"},
      {"POST", "/a?q=url", form, "q=form", "POST /a form 4\n"},
      {"POST", "/a?q=url", "Content-Type: text/plain\r\n", "q=form", "POST /a url 3\n"},
      {"GET", "/url?q=" + std::string(64 << 10, 'u'), "", "", "GET /url uuuuuuuuuuuuuuuuuuuu 65536\n"},
      {"POST", "/form", form, "q=" + std::string(1 << 20, 'f'), "POST /form ffffffffffffffffffff 1048576\n"},
      {"GET", "/h", "X-Long: " + std::string(60 << 10, 'h') + "\r\n", "", "GET /h  0\n"},
      {"GET", "/r?q=x", "Range: bytes=0-1\r\n", "", "GET /r x 1\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.method + " " + c.target.substr(0, 100));
    TestResponse response = fetch(port_, c.method, c.target, c.headers, c.body);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, c.answer);
  }
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  start();
  TestConnection connection(port_);
  connection.send("HEAD /a?q=x HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
  auto head = connection.receive(true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->header("Content-Length"), "12");
  auto next = connection.receive();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->body, "GET /b  0\n");
}

TEST_F(HttpServerTest, SendsContinueWhenAsked) {
  start();
  TestConnection connection(port_);
  connection.send(
      "POST /a HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
      "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(connection.read_more());
  EXPECT_EQ(connection.input(), "HTTP/1.1 100 Continue\r\n\r\n");
  connection.send("q=x");
  auto response = connection.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "POST /a x 1\n");
}

TEST_F(HttpServerTest, RefusesAndClosesWhatItCannotRead) {
  start();
  struct Case {
    std::string bytes;
    int status;
  };
  const std::vector<Case> cases = {
      {"nonsense\r\n\r\n", 400},
      {"GET /" + std::string(100 << 10, 'x') + " HTTP/1.1\r\n\r\n", 414},
      {"GET / HTTP/1.1\r\nX: " + std::string(200 << 10, 'x') + "\r\n\r\n", 431},
      {"POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + std::string(100'000, 'x'), 413},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.bytes.substr(0, 40));
    TestConnection connection(port_);
    connection.send(c.bytes);
    auto response = connection.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, c.status);
    EXPECT_EQ(response->header("Connection"), "close");
    EXPECT_TRUE(connection.closed_by_server());
  }
}

TEST_F(HttpServerTest, ClosesWhenTheClientWantsIt) {
  start();
  for (std::string request : {"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"}) {
    TestConnection connection(port_);
    connection.send(request);
    auto response = connection.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "GET /a  0\n");
    EXPECT_TRUE(connection.closed_by_server());
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  TestConnection connection(port_);
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n";
  connection.send(requests);
  for (int i = 0; i < 50; ++i) {
    auto response = connection.receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "GET /" + std::to_string(i) + "  0\n");
  }
}

TEST_F(HttpServerTest, IdleAndSlowClientsHoldUpNobody) {
  start();
  std::vector<std::unique_ptr<TestConnection>> clients;
  for (int i = 0; i < 200; ++i) {  // kept alive after a request
    clients.push_back(std::make_unique<TestConnection>(port_));
    clients.back()->send("GET /idle HTTP/1.1\r\n\r\n");
    ASSERT_TRUE(clients.back()->receive());
  }
  for (int i = 0; i < 100; ++i) {  // in the middle of a head or a body
    clients.push_back(std::make_unique<TestConnection>(port_));
    clients.back()->send(i % 2 ? "GET /half HTT" : "POST /half HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf");
  }
  EXPECT_EQ(fetch(port_, "GET", "/fresh").body, "GET /fresh  0\n");
  // The half requests still work when their rest comes.
  clients[201]->send("P/1.1\r\n\r\n");
  auto late = clients[201]->receive();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->body, "GET /half  0\n");
}

TEST_F(HttpServerTest, SlowRequestsLeaveRoomForQuickOnes) {
  start();
  std::vector<std::unique_ptr<TestConnection>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<TestConnection>(port_));
    clients.back()->send("GET /slow HTTP/1.1\r\n\r\n");
  }
  ASSERT_TRUE(wait_until([&] { return waiting_ == 4; }));
  EXPECT_EQ(fetch(port_, "GET", "/quick").status, 200);
  release();
  for (auto& client : clients) EXPECT_TRUE(client->receive());
}

TEST_F(HttpServerTest, AClientThatHangsUpCancelsItsRequest) {
  start();
  {
    TestConnection client(port_);
    client.send("GET /slow HTTP/1.1\r\n\r\n");
    ASSERT_TRUE(wait_until([&] { return waiting_ == 1; }));
    EXPECT_EQ(canceled_, 0);
  }
  EXPECT_TRUE(wait_until([&] { return canceled_ == 1 && waiting_ == 0; }));
}

TEST_F(HttpServerTest, AFullServerClosesTheLongestIdleConnection) {
  HttpServerOptions options;
  options.max_connections = 10;
  start(options);
  std::vector<std::unique_ptr<TestConnection>> clients;
  for (int i = 0; i < 15; ++i) {
    clients.push_back(std::make_unique<TestConnection>(port_));
    clients.back()->send("GET /idle HTTP/1.1\r\n\r\n");
    ASSERT_TRUE(clients.back()->receive()) << i;
  }
  EXPECT_TRUE(clients[0]->closed_by_server());
  clients[14]->send("GET /again HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(clients[14]->receive());
}

TEST_F(HttpServerTest, ARequestThatDoesNotComeToAnEndIsTimedOut) {
  HttpServerOptions options;
  options.read_timeout = 50;
  start(options);
  TestConnection half(port_);
  half.send("GET / HTT");
  auto response = half.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 408);
  TestConnection silent(port_);
  EXPECT_TRUE(silent.closed_by_server());
}

TEST_F(HttpServerTest, UnfinishedBodiesAreBoundedTogether) {
  HttpServerOptions options;
  options.max_buffered = 100'000;
  start(options);
  std::vector<std::unique_ptr<TestConnection>> clients;
  bool refused = false;
  for (int i = 0; i < 10 && !refused; ++i) {
    clients.push_back(std::make_unique<TestConnection>(port_));
    clients.back()->send("POST / HTTP/1.1\r\nContent-Length: 50000\r\n\r\n" + std::string(40'000, 'x'));
    refused = clients.back()->read_more(300) && clients.back()->input().starts_with("HTTP/1.1 503");
  }
  EXPECT_TRUE(refused);
  clients.clear();
  EXPECT_EQ(fetch(port_, "GET", "/a").status, 200);
}

TEST_F(HttpServerTest, LongAnswersAreStreamedNoFasterThanTheyAreRead) {
  start();
  TestConnection client(port_);
  client.send("GET /lines?count=100000 HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(client.read_more());
  // 100 MB don't fit into the sockets' buffers: making the body stops, and others are served.
  EXPECT_EQ(fetch(port_, "GET", "/a").status, 200);
  EXPECT_LT(made_, 100'000u);
  auto response = client.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->header("Transfer-Encoding"), "chunked");
  EXPECT_EQ(response->body.size(), 100'000'000u);
  client.send("GET /next HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(client.receive());
}

TEST_F(HttpServerTest, LongAnswersToOldClientsEndWithTheConnection) {
  start();
  TestConnection client(port_);
  client.send("GET /lines?count=1000 HTTP/1.0\r\n\r\n");
  auto response = client.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->header("Transfer-Encoding"), "");
  EXPECT_EQ(response->body.size(), 1'000'000u);
}

TEST_F(HttpServerTest, CompressesAsTheClientLikesBest) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases = {{"gzip", "gzip"},
                                                                  {"br, gzip;q=0.5", "gzip"},
                                                                  {"GZIP", "gzip"},
                                                                  {"gzip;q=0", ""},
                                                                  {"br", ""},
                                                                  {"identity", ""},
                                                                  {"deflate", ""},
                                                                  {"gzip, deflate, br, zstd", "zstd"},
                                                                  {"zstd", "zstd"},
                                                                  {"zstd;q=0, gzip", "gzip"},
                                                                  {"zstd;q=0.5, gzip;q=0.8", "gzip"},
                                                                  {"ZSTD;q=1.0, gzip;q=0.9", "zstd"},
                                                                  {"zstd;q=x", "zstd"},
                                                                  {"zstd;;q=", "zstd"},
                                                                  {",,;,gzip", "gzip"}};
  for (int count : {20, 1000}) {  // at once, and streamed
    for (const auto& [accept, coding] : cases) {
      SCOPED_TRACE(accept + " " + std::to_string(count));
      TestResponse response =
          fetch(port_, "GET", "/lines?count=" + std::to_string(count), "Accept-Encoding: " + accept + "\r\n");
      EXPECT_EQ(response.header("Content-Encoding"), coding);
      EXPECT_EQ(response.header("Vary"), "Accept-Encoding");
      std::string body = coding == "gzip"   ? gunzip(response.body)
                         : coding == "zstd" ? unzstd(response.body)
                                            : response.body;
      EXPECT_EQ(body.size(), static_cast<std::size_t>(count) * 1000);
    }
  }
  EXPECT_EQ(fetch(port_, "GET", "/short", "Accept-Encoding: gzip\r\n").header("Content-Encoding"), "");
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsAnInternalError) {
  start();
  EXPECT_EQ(fetch(port_, "GET", "/throw").status, 500);
  EXPECT_EQ(fetch(port_, "GET", "/a").status, 200);
}

TEST_F(HttpServerTest, SendsSmallAnswersWithoutDelay) {
  start();
  TestConnection connection(port_);
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    // In two packets, which is what Nagle's algorithm and delayed acknowledgements punish with 40 ms.
    connection.send("GET /a HTTP/1.1\r\n");
    connection.send("\r\n");
    ASSERT_TRUE(connection.receive());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(100 * 40));
}

TEST_F(HttpServerTest, APortInUseIsAnErrorThatNamesIt) {
  start();
  HttpServerOptions options;
  options.listen_addresses = {"127.0.0.1:" + std::to_string(port_)};
  auto second = make_server(options);
  Status status = second->start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(status.error().message,
            "can't listen on " + options.listen_addresses[0] + ": the address is in use, perhaps by another server");
}

TEST_F(HttpServerTest, BadListenAddressesAreErrors) {
  exchange_ = std::make_unique<HttpExchange>([this](const HttpRequest& request) { return handle(request); }, 1000);
  for (std::string address :
       {"", "nonsense", "host:", ":99999", "1.2.3:x", "::1:80", "[::1:80", "no.such.host.invalid:1"}) {
    HttpServerOptions options;
    options.listen_addresses = {address};
    auto server = make_server(options);
    Status status = server->start();
    ASSERT_FALSE(status.ok()) << address;
    EXPECT_NE(status.error().message.find("can't listen on " + address), std::string::npos) << status.error().message;
  }
}

TEST_F(HttpServerTest, ListensOnAllAddressesWithoutAHost) {
  HttpServerOptions options;
  options.listen_addresses = {":0"};
  exchange_ = std::make_unique<HttpExchange>([this](const HttpRequest& request) { return handle(request); }, 1000);
  auto server = make_server(options);
  ASSERT_TRUE(server->start().ok());
  EXPECT_EQ(fetch(server->ports().at(0), "GET", "/a").status, 200);
}

TEST_F(HttpServerTest, StoppingLetsRunningRequestsFinish) {
  start();
  TestConnection client(port_);
  client.send("GET /slow HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(wait_until([&] { return waiting_ == 1; }));
  TestConnection idle(port_);
  auto stopped = std::async(std::launch::async, [&] { server_->stop(); });
  EXPECT_TRUE(idle.closed_by_server());
  release();
  auto response = client.receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  stopped.get();
  EXPECT_FALSE(TestConnection(port_).connected());
}

TEST_F(HttpServerTest, StoppingCancelsWhatDoesNotFinish) {
  start();
  TestConnection client(port_);
  client.send("GET /slow HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(wait_until([&] { return waiting_ == 1; }));
  server_->stop();
  EXPECT_EQ(canceled_, 1);
}

}  // namespace
}  // namespace pipit
