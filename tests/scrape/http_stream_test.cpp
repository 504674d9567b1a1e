#include "scrape/http_stream.h"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "scrape/resolver.h"

namespace pipit {
namespace {

using boost::asio::ip::tcp;

class HttpStreamTest : public ::testing::Test {
 protected:
  static tcp::endpoint endpoint(const char* address, std::uint16_t port) {
    return {boost::asio::ip::make_address(address), port};
  }
  static HttpRoute route(const std::string& host, std::uint16_t port) {
    HttpRoute route;
    route.endpoint.host = host;
    route.endpoint.port = port;
    return route;
  }
  static bool has_caller(tcp::acceptor& listener) {
    boost::system::error_code ec;
    listener.non_blocking(true);
    listener.accept(ec);
    return !ec;
  }

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> waits_for_look_ups_{io_.get_executor()};
  Resolver resolver_{io_};
  TlsContext tls_{TlsConfig()};
};

/// What is left of an earlier connection must not get what is meant for another, such as its credentials.
TEST_F(HttpStreamTest, AddressesOfAConnectionThatWasGivenUpAreNotTriedForAnother) {
  tcp::acceptor meant(io_, endpoint("127.0.0.1", 0));
  const std::uint16_t port = meant.local_endpoint().port();
  tcp::acceptor other(io_, endpoint("127.0.0.2", port));
  const auto stream = std::make_shared<HttpStream>(io_, resolver_);
  const auto deadline = HttpStream::Clock::now() + std::chrono::seconds(10);
  stream->open(route("127.0.0.2", 1), tls_, deadline, [](const Status&) {});
  stream->close();
  bool connected = false;
  stream->open(route("localhost", port), tls_, deadline, [&](const Status& status) {
    connected = status.ok();
    io_.stop();
  });
  io_.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(connected);
  EXPECT_TRUE(has_caller(meant));
  EXPECT_FALSE(has_caller(other));
}

}  // namespace
}  // namespace pipit
