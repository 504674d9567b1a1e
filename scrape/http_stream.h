#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "model/result.h"
#include "scrape/target.h"
#include "scrape/tls.h"

namespace boost::asio {
class io_context;
}
namespace boost::system {
class error_code;
}

namespace pipit {

class Resolver;

/// How a connection gets to where its requests go.
struct HttpRoute {
  Endpoint endpoint;
  std::optional<Endpoint> proxy;
  std::string tunnel_head;  ///< the CONNECT request for the proxy when the endpoint is TLS
  bool operator==(const HttpRoute&) const = default;
};

/// A connection: TCP or a unix socket, through a proxy if need be, with TLS on top if the endpoint has it.
/// Non-blocking, of the thread of the io_context.
class HttpStream : public std::enable_shared_from_this<HttpStream> {
 public:
  using Progress = TlsSession::Progress;
  using Clock = std::chrono::steady_clock;

  HttpStream(boost::asio::io_context& io, Resolver& resolver);
  ~HttpStream();

  /// Whether it is connected that way and has nothing to say, which nobody asked for.
  bool is_ready_for(const HttpRoute& route);
  /// Connects; `done` is called once, possibly before this returns. `tls` must outlive the stream's use of it.
  /// The deadline is the caller's to enforce, by `close`; here it shares the time among addresses.
  void open(const HttpRoute& route, TlsContext& tls, Clock::time_point deadline,
            std::function<void(const Status&)> done);
  /// Begins TLS on the open connection, for protocols that agree on it first. REQUIRES: it has none, and what came is
  /// read.
  void begin_tls(std::function<void(const Status&)> done);
  /// Ends it. Callbacks that wait never come.
  void close();

  /// `size` is how much there is room for or to write, and becomes how much was moved.
  Progress read(char* data, std::size_t& size);
  Progress write(const char* data, std::size_t& size);
  /// Whether bytes are ready without the socket being readable.
  bool has_pending() const { return tls_ != nullptr && tls_->pending(); }
  bool is_tls() const { return tls_ != nullptr; }
  /// Why the last call said `failed`.
  std::string failure() const;

  /// Calls `then` once when the socket is readable (writable), with the reason if waiting failed ("" else).
  void wait(bool for_reading, std::function<void(const std::string& error)> then);

 private:
  struct Socket;

  void resolve();
  void connect(std::size_t attempt);
  void connect_socket_file();
  void connected(std::size_t attempt, const boost::system::error_code& ec);
  void ask_for_tunnel();
  void read_tunnel_answer();
  void start_tls();
  void shake_hands();
  void finish(const Status& status);
  void fail(std::string why);
  const Endpoint& dialled() const { return route_.proxy ? *route_.proxy : route_.endpoint; }
  Progress progress_of(const boost::system::error_code& ec, Progress would_block);

  std::unique_ptr<Socket> socket_;
  Resolver& resolver_;
  std::unique_ptr<TlsSession> tls_;
  HttpRoute route_;  ///< of the open socket
  TlsContext* tls_context_ = nullptr;
  std::function<void(const Status&)> done_;
  Clock::time_point deadline_;
  std::string tunnel_;      ///< what is left to send of the CONNECT request, then what came of its answer
  std::string last_error_;  ///< of plain bytes
  std::uint64_t run_ = 0;   ///< handlers of before `close` find another number and do nothing
};

}  // namespace pipit
