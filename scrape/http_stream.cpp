#include "scrape/http_stream.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "scrape/resolver.h"

namespace pipit {

namespace asio = boost::asio;
using boost::system::error_code;
using StreamSocket = asio::generic::stream_protocol::socket;

namespace {

/// Of the answer to CONNECT, which has no body.
constexpr std::size_t kMostTunnelAnswer = 16 << 10;

std::string describe(const error_code& ec) {
  if (ec == asio::error::connection_reset) return "read: connection reset by peer";
  if (ec == asio::error::connection_refused) return "connection refused";
  return ec.message();
}

}  // namespace

struct HttpStream::Socket {
  explicit Socket(asio::io_context& io) : stream(io), attempt_deadline(io) {}
  StreamSocket stream;
  asio::steady_timer attempt_deadline;
  std::vector<asio::ip::address> addresses;
};

HttpStream::HttpStream(asio::io_context& io, Resolver& resolver)
    : socket_(std::make_unique<Socket>(io)), resolver_(resolver) {}
HttpStream::~HttpStream() = default;

bool HttpStream::is_ready_for(const HttpRoute& route) {
  if (!socket_->stream.is_open() || route_ != route) return false;
  char byte;
  const auto got = recv(socket_->stream.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got >= 0) return got > 0 && tls_ != nullptr;  // TLS sends tickets and notices of its own
  return errno == EAGAIN || errno == EWOULDBLOCK;
}

void HttpStream::open(const HttpRoute& route, TlsContext& tls, Clock::time_point deadline,
                      std::function<void(const Status&)> done) {
  close();
  route_ = route;
  tls_context_ = &tls;
  deadline_ = deadline;
  done_ = std::move(done);
  if (dialled().socket_path.empty()) {
    resolve();
  } else {
    connect_socket_file();
  }
}

void HttpStream::begin_tls(std::function<void(const Status&)> done) {
  done_ = std::move(done);
  route_.endpoint.tls = true;
  start_tls();
}

void HttpStream::close() {
  error_code ignored;
  ++run_;
  socket_->attempt_deadline.cancel();
  tls_.reset();
  socket_->stream.close(ignored);
  socket_->addresses = {};
  done_ = nullptr;
  tunnel_ = {};
}

void HttpStream::finish(const Status& status) {
  socket_->attempt_deadline.cancel();
  socket_->addresses = {};
  auto done = std::exchange(done_, nullptr);
  if (done) done(status);
}

void HttpStream::fail(std::string why) { finish(Error{ErrorKind::unavailable, std::move(why)}); }

// ---- connecting ----------------------------------------------------------------------------------------------

void HttpStream::resolve() {
  error_code not_an_address;
  const auto address = asio::ip::make_address(dialled().host, not_an_address);
  if (!not_an_address) {
    socket_->addresses = {address};
    connect(0);
    return;
  }
  resolver_.resolve(dialled().host, [self = shared_from_this(), run = run_](const Resolution& resolution) {
    if (run != self->run_) return;
    for (const std::string& text : resolution.addresses) {
      error_code ec;
      const auto found = asio::ip::make_address(text, ec);
      if (!ec) self->socket_->addresses.push_back(found);
    }
    if (self->socket_->addresses.empty()) {
      self->fail("dial tcp: lookup " + self->dialled().host + ": " +
                 (resolution.error.empty() ? "no such host" : resolution.error));
    } else {
      self->connect(0);
    }
  });
}

void HttpStream::connect(std::size_t attempt) {
  error_code ec;
  StreamSocket& stream = socket_->stream;
  stream.close(ec);
  const auto& addresses = socket_->addresses;
  const asio::ip::tcp::endpoint remote(addresses[attempt], dialled().port);
  stream.open(remote.protocol(), ec);
  if (!ec) stream.non_blocking(true, ec);
  if (ec) {
    connected(attempt, ec);
    return;
  }
  stream.set_option(asio::ip::tcp::no_delay(true), ec);
  if (attempt + 1 < addresses.size()) {
    // The addresses that are left share the time that is left, so that one that does not answer leaves some.
    const auto left = deadline_ - Clock::now();
    socket_->attempt_deadline.expires_after(left / static_cast<long>(addresses.size() - attempt));
    socket_->attempt_deadline.async_wait([self = shared_from_this(), run = run_](const error_code& timer) {
      error_code ignored;
      if (!timer && run == self->run_) self->socket_->stream.cancel(ignored);
    });
  }
  stream.async_connect(remote, [self = shared_from_this(), run = run_, attempt](const error_code& result) {
    if (run == self->run_) self->connected(attempt, result);
  });
}

void HttpStream::connect_socket_file() {
  error_code ec;
  const std::string& path = dialled().socket_path;
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    fail("dial unix " + path + ": the path is too long");
    return;
  }
  const asio::local::stream_protocol::endpoint remote(path);
  StreamSocket& stream = socket_->stream;
  stream.open(remote.protocol(), ec);
  if (!ec) stream.non_blocking(true, ec);
  if (ec) {
    fail("dial unix " + path + ": " + describe(ec));
    return;
  }
  stream.async_connect(remote, [self = shared_from_this(), run = run_](const error_code& result) {
    if (run != self->run_) return;
    if (result) {
      self->fail("dial unix " + self->dialled().socket_path + ": connect: " + describe(result));
    } else {
      self->finish({});
    }
  });
}

void HttpStream::connected(std::size_t attempt, const error_code& ec) {
  socket_->attempt_deadline.cancel();
  const auto& addresses = socket_->addresses;
  if (ec && attempt + 1 < addresses.size()) {
    connect(attempt + 1);
    return;
  }
  if (ec) {
    const std::string host =
        addresses[attempt].is_v6() ? "[" + addresses[attempt].to_string() + "]" : addresses[attempt].to_string();
    fail((route_.proxy ? "proxyconnect tcp: dial tcp " : "dial tcp ") + host + ":" + std::to_string(dialled().port) +
         ": connect: " + describe(ec));
  } else if (!route_.tunnel_head.empty()) {
    tunnel_ = route_.tunnel_head;
    ask_for_tunnel();
  } else {
    start_tls();
  }
}

void HttpStream::ask_for_tunnel() {
  while (!tunnel_.empty()) {
    std::size_t size = tunnel_.size();
    switch (write(tunnel_.data(), size)) {
      case Progress::done:
        tunnel_.erase(0, size);
        continue;
      case Progress::want_write:
        wait(false, [self = shared_from_this()](const std::string& error) {
          error.empty() ? self->ask_for_tunnel() : self->fail("proxyconnect: " + error);
        });
        return;
      default:
        fail("proxyconnect: write: " + failure());
        return;
    }
  }
  read_tunnel_answer();
}

void HttpStream::read_tunnel_answer() {
  for (;;) {
    // Byte by byte, as what follows the head belongs to TLS. It is a hundred bytes once a connection.
    char byte;
    std::size_t size = 1;
    switch (read(&byte, size)) {
      case Progress::done:
        break;
      case Progress::want_read:
        wait(true, [self = shared_from_this()](const std::string& error) {
          error.empty() ? self->read_tunnel_answer() : self->fail("proxyconnect: " + error);
        });
        return;
      default:
        fail("proxyconnect: the proxy closed the connection");
        return;
    }
    tunnel_ += byte;
    if (tunnel_.ends_with("\r\n\r\n")) break;
    if (tunnel_.size() > kMostTunnelAnswer) {
      fail("proxyconnect: endless answer of the proxy");
      return;
    }
  }
  const std::string line = tunnel_.substr(0, tunnel_.find('\r'));
  tunnel_ = {};
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line.substr(8, 4) != " 200") {
    fail("proxyconnect: the proxy answered " + line.substr(std::min<std::size_t>(line.size(), 9), 100));
    return;
  }
  start_tls();
}

void HttpStream::start_tls() {
  if (!route_.endpoint.tls) {
    finish({});
    return;
  }
  auto session = tls_context_->connect(socket_->stream.native_handle(), route_.endpoint.host);
  if (!session) {
    finish(session.error());
    return;
  }
  tls_ = std::move(*session);
  shake_hands();
}

void HttpStream::shake_hands() {
  const Progress progress = tls_->handshake();
  if (progress == Progress::done) {
    finish({});
  } else if (progress == Progress::want_read || progress == Progress::want_write) {
    wait(progress == Progress::want_read, [self = shared_from_this()](const std::string& error) {
      error.empty() ? self->shake_hands() : self->fail(error);
    });
  } else {
    fail(tls_->failure());
  }
}

// ---- bytes -----------------------------------------------------------------------------------------------------

HttpStream::Progress HttpStream::progress_of(const error_code& ec, Progress would_block) {
  if (!ec) return Progress::done;
  if (ec == asio::error::would_block || ec == asio::error::interrupted) return would_block;
  if (ec == asio::error::eof) return Progress::closed;
  last_error_ = describe(ec);
  return Progress::failed;
}

HttpStream::Progress HttpStream::read(char* data, std::size_t& size) {
  if (tls_ != nullptr) return tls_->read(data, size);
  error_code ec;
  size = socket_->stream.read_some(asio::buffer(data, size), ec);
  return progress_of(ec, Progress::want_read);
}

HttpStream::Progress HttpStream::write(const char* data, std::size_t& size) {
  if (tls_ != nullptr) return tls_->write(data, size);
  error_code ec;
  size = socket_->stream.write_some(asio::buffer(data, size), ec);
  return progress_of(ec, Progress::want_write);
}

std::string HttpStream::failure() const { return tls_ != nullptr ? tls_->failure() : last_error_; }

void HttpStream::wait(bool for_reading, std::function<void(const std::string& error)> then) {
  socket_->stream.async_wait(for_reading ? StreamSocket::wait_read : StreamSocket::wait_write,
                             [self = shared_from_this(), run = run_, then = std::move(then)](const error_code& ec) {
                               if (run == self->run_) then(ec ? describe(ec) : std::string());
                             });
}

}  // namespace pipit
