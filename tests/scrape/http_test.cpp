#include <libdeflate.h>

#include "tests/scrape/scrape_fixture.h"

namespace pipit {
namespace {

std::string gzip(const std::string& text) {
  auto* compressor = libdeflate_alloc_compressor(6);
  std::string out(libdeflate_gzip_compress_bound(compressor, text.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor, text.data(), text.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

std::string path_of(const std::string& request) {
  const auto begin = request.find(' ') + 1;
  return request.substr(begin, request.find(' ', begin) - begin);
}

class HttpTest : public ScrapeFixture {
 protected:
  /// A server that always sends `bytes`, and keeps the connection.
  void serve(const std::string& bytes, DurationMs interval = kInterval) {
    server =
        std::make_unique<PageServer>([bytes](const std::string&, PageServer::Peer& peer) { return peer.send(bytes); });
    auto config = job(server->address());
    config.scrape_interval = config.scrape_timeout = interval;
    apply({config});
  }
  bool is_down_with_report() {
    return wait_for([&] { return count("up") > 0; }) && has("up", 0) && has("scrape_samples_scraped", 0);
  }

  std::unique_ptr<PageServer> server;

  ~HttpTest() override { manager.reset(); }
};

TEST_F(HttpTest, KeepsTheConnectionAndSaysWhatItTakes) {
  serve(PageServer::ok("a 1\n"), 250);
  ASSERT_TRUE(wait_for([&] { return count("a") >= 3; }));
  EXPECT_EQ(server->connections(), 1);
  const std::string request = server->requests().front();
  EXPECT_TRUE(request.starts_with("GET /metrics HTTP/1.1\r\nHost: " + server->address() + "\r\n")) << request;
  EXPECT_NE(request.find("\r\nUser-Agent: Pipit\r\n"), std::string::npos);
  EXPECT_NE(request.find("\r\nAccept-Encoding: gzip\r\n"), std::string::npos);
  EXPECT_NE(request.find("\r\nX-Prometheus-Scrape-Timeout-Seconds: 0.25\r\n"), std::string::npos);
  EXPECT_NE(request.find("text/plain;version=0.0.4"), std::string::npos);
  EXPECT_EQ(manager->active_targets().front().health, TargetHealth::up);
}

TEST_F(HttpTest, ConnectsAgainWhenTheServerClosed) {
  server = std::make_unique<PageServer>([](const std::string&, PageServer::Peer& peer) {
    peer.send(PageServer::ok("a 1\n"));
    return false;  // without saying "Connection: close"
  });
  auto config = job(server->address());
  config.scrape_interval = config.scrape_timeout = 250;
  apply({config});
  ASSERT_TRUE(wait_for([&] { return count("a") >= 3; }));
  EXPECT_FALSE(has("up", 0));
  EXPECT_GE(server->connections(), 3);
}

TEST_F(HttpTest, TakesBodiesInEveryShape) {
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\na 1\n\r\n6\r\nb 2\nc "
      "\r\n2\r\n3\n\r\n0\r\nTrailer: x\r\n\r\n";
  const std::string until_close = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\na 1\nb 2\nc 3";
  const std::string packed = PageServer::ok(gzip("a 1\n") + gzip("b 2\nc 3"), "Content-Encoding: gzip\r\n");
  const std::string after_continue = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PageServer::ok("a 1\nb 2\nc 3\n");
  int shape = 0;
  for (const std::string& answer : {chunked, until_close, packed, after_continue}) {
    PageServer one([&](const std::string&, PageServer::Peer& peer) {
      peer.send(answer);
      return answer != until_close;
    });
    const std::string name = "shape" + std::to_string(shape++);
    apply({job(one.address(), name)});
    const std::string labels = "{instance=\"" + one.address() + "\", job=\"" + name + "\"}";
    EXPECT_TRUE(wait_for([&] { return has("c" + labels, 3); })) << answer << "\n" << first_error();
    EXPECT_TRUE(has("a" + labels, 1));
    EXPECT_TRUE(has("scrape_samples_scraped" + labels, 3));
    apply({});
  }
}

TEST_F(HttpTest, TakesAnAnswerByteByByte) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n";
  server = std::make_unique<PageServer>([&](const std::string&, PageServer::Peer& peer) {
    for (char c : answer) {
      if (!peer.send({&c, 1})) return false;
      peer.wait_ms(1);
    }
    return true;
  });
  auto config = job(server->address());
  config.scrape_interval = config.scrape_timeout = 1000;
  apply({config});
  EXPECT_TRUE(wait_for([&] { return has("a", 1); }));
}

struct BadAnswer {
  const char* name;
  std::string bytes;
  bool close;
  const char* error;  ///< `{url}` stands for the target's
};

TEST_F(HttpTest, RefusesBadAnswersWithTheReason) {
  const BadAnswer cases[] = {
      {"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n", false,
       "server returned HTTP status 404 Not Found"},
      {"own words", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", false, "server returned HTTP status 500 Oops"},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", false, "server returned HTTP status 204 No Content"},
      {"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na 1\n", true, "Get \"{url}\": unexpected EOF"},
      {"chunk cut short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\na 1\n", true,
       "Get \"{url}\": unexpected EOF"},
      {"nothing", "", true, "Get \"{url}\": EOF"},
      {"half a head", "HTTP/1.1 200 OK\r\nContent-", true, "Get \"{url}\": unexpected EOF"},
      {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", true, "Get \"{url}\": malformed HTTP response: bad version"},
      {"damaged gzip", PageServer::ok("not gzip", "Content-Encoding: gzip\r\n"), false,
       "gzip: the body is damaged or cut short"},
      {"half of gzip", PageServer::ok(gzip("a 1\nb 2\n").substr(0, 20), "Content-Encoding: gzip\r\n"), false,
       "gzip: the body is damaged or cut short"},
      {"gzip bomb", PageServer::ok(gzip(std::string(100'000, '\n')), "Content-Encoding: gzip\r\n"), false,
       "body size limit exceeded"},
      {"stated too long", "HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n", false,
       "Get \"{url}\": body size limit exceeded"},
      {"absurdly long", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", false,
       "Get \"{url}\": body size limit exceeded"},
      {"unknown encoding", PageServer::ok("a 1\n", "Content-Encoding: br\r\n"), false,
       "unsupported Content-Encoding \"br\""},
      {"OpenMetrics without an end",
       "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0\r\n"
       "Content-Length: 4\r\n\r\na 1\n",
       false, "line 2: data does not end with # EOF"},
      {"no format", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n", false,
       "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target"},
      {"another format", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\na 1\n", false,
       "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target"},
      {"invalid UTF-8", PageServer::ok("a 1\nb{c=\"\xff\"} 1\n"), false,
       "line 2: invalid UTF-8 in label value, got \"\\\"\\xff\\\"} 1\""},
      {"a web page", PageServer::ok("<!DOCTYPE html>\n"), false,
       "line 1: expected a metric name, '{' or '#', got \"<!DOCTYPE html>\""},
      {"breaks in the middle", PageServer::ok("a 1\nb 2\nc\n"), false,
       "line 3: expected value after metric, got the end of the line"},
      {"label twice", PageServer::ok("ok 1\na{b=\"1\",b=\"2\"} 1\n"), false, "line 2: label name \"b\" is not unique"},
      {"bad redirect", "HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\nContent-Length: 0\r\n\r\n", false,
       "Get \"{url}\": redirect: unsupported protocol scheme in \"ftp://x/\""},
      {"redirect loop", "HTTP/1.1 302 Found\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n", false,
       "Get \"{url}\": stopped after 10 redirects"},
  };
  for (const BadAnswer& c : cases) {
    PageServer one([&](const std::string&, PageServer::Peer& peer) { return peer.send(c.bytes) && !c.close; });
    auto config = job(one.address(), c.name);
    config.body_size_limit = 10'000;
    apply({config});
    std::string expected = c.error;
    if (auto at = expected.find("{url}"); at != std::string::npos) {
      expected.replace(at, 5, "http://" + one.address() + "/metrics");
    }
    EXPECT_EQ(error_after_waiting_for(expected), expected) << c.name;
    EXPECT_EQ(manager->active_targets().front().health, TargetHealth::down) << c.name;
    const std::string labels = "{instance=\"" + one.address() + "\", job=\"" + c.name + "\"}";
    EXPECT_TRUE(has("up" + labels, 0)) << c.name;
    EXPECT_EQ(count("a" + labels), 0U) << c.name;
    apply({});
  }
}

TEST_F(HttpTest, EndlessBodiesAndHeadsEnd) {
  for (const std::string& forever :
       {std::string("a 1\n"), std::string("X-Header: value\r\n"), std::string("x"), std::string(";ext=1")}) {
    PageServer one([&](const std::string&, PageServer::Peer& peer) {
      std::string start = "HTTP/1.1 200 OK\r\n";
      if (forever == "a 1\n") start += "\r\n";
      if (forever == ";ext=1") start += "Transfer-Encoding: chunked\r\n\r\n4";
      if (!peer.send(start)) return false;
      std::string much;
      while (much.size() < 50'000) much += forever;
      while (peer.send(much)) {
      }
      return false;
    });
    auto config = job(one.address(), "endless");
    config.scrape_interval = config.scrape_timeout = 1000;
    config.body_size_limit = 1 << 20;
    apply({config});
    const std::string error = first_error();
    EXPECT_TRUE(error.ends_with("body size limit exceeded") || error.find("malformed HTTP") != std::string::npos)
        << error;
    apply({});
  }
}

TEST_F(HttpTest, TimeoutCoversSilenceAndSlowBytes) {
  for (bool trickle : {false, true}) {
    PageServer one([&](const std::string&, PageServer::Peer& peer) {
      if (trickle) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (peer.wait_ms(5) && peer.send("#")) {
        }
      } else {
        peer.hang();
      }
      return false;
    });
    apply({job(one.address(), trickle ? "trickle" : "silent")});
    const std::string expected = "Get \"http://" + one.address() + "/metrics\": context deadline exceeded";
    EXPECT_EQ(error_after_waiting_for(expected), expected);
    apply({});
  }
}

TEST_F(HttpTest, HangingTargetsDelayNobody) {
  PageServer hangs([](const std::string&, PageServer::Peer& peer) {
    peer.hang();
    return false;
  });
  PageServer answers([](const std::string&, PageServer::Peer& peer) { return peer.send(PageServer::ok("a 1\n")); });
  auto slow = job(hangs.address(), "slow");
  slow.static_configs.front().targets.clear();
  for (int i = 0; i < 20; ++i) {
    slow.static_configs.push_back({{hangs.address()}, {{"number", std::to_string(i)}}});
  }
  slow.scrape_interval = slow.scrape_timeout = 60'000;
  auto slow_but_soon = slow;
  slow_but_soon.scrape_interval = slow_but_soon.scrape_timeout = 500;
  apply({slow_but_soon, job(answers.address(), "fast")});
  ASSERT_TRUE(wait_for([&] { return hangs.connections() >= 10; }));
  const std::size_t before = count("a");
  EXPECT_TRUE(wait_for([&] { return count("a") >= before + 5; }));
  for (const auto& target : manager->active_targets()) {
    EXPECT_EQ(target.health == TargetHealth::up, target.scrape_pool == "fast");
  }
}

TEST_F(HttpTest, FollowsRedirects) {
  PageServer other([](const std::string&, PageServer::Peer& peer) { return peer.send(PageServer::ok("a 1\n")); });
  server = std::make_unique<PageServer>([&](const std::string& request, PageServer::Peer& peer) {
    const std::string path = path_of(request);
    std::string location = "http://" + other.address() + "/final?x=y";
    if (path == "/metrics") location = "deeper/one";
    if (path == "/deeper/one") location = "/two";
    return peer.send("HTTP/1.1 307 Temporary Redirect\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n");
  });
  apply({job(server->address())});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); })) << first_error();
  EXPECT_EQ(path_of(server->requests()[1]), "/deeper/one");
  EXPECT_EQ(path_of(server->requests()[2]), "/two");
  EXPECT_EQ(path_of(other.requests()[0]), "/final?x=y");
}

TEST_F(HttpTest, SaysWhyItCouldNotConnect) {
  std::string address;
  {
    PageServer closed([](const std::string&, PageServer::Peer&) { return false; });
    address = closed.address();
  }
  apply({job(address)});
  const std::string expected =
      "Get \"http://" + address + "/metrics\": dial tcp " + address + ": connect: connection refused";
  EXPECT_EQ(error_after_waiting_for(expected), expected);
  apply({job("no-such-host.invalid:80")});
  EXPECT_TRUE(first_error().starts_with("Get \"http://no-such-host.invalid:80/metrics\": ")) << first_error();
  EXPECT_TRUE(is_down_with_report());
}

TEST_F(HttpTest, TalksToNames) {
  server = std::make_unique<PageServer>(
      [](const std::string&, PageServer::Peer& peer) { return peer.send(PageServer::ok("a 1\n")); });
  apply({job("localhost" + server->address().substr(server->address().find(':')))});
  EXPECT_TRUE(wait_for([&] { return has("a", 1); })) << first_error();
}

}  // namespace
}  // namespace pipit
