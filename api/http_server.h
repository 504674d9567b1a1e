#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_exchange.h"
#include "api/listener.h"
#include "api/request_reader.h"
#include "api/tls_server.h"
#include "model/result.h"
#include "model/sample.h"
#include "telemetry/metrics.h"

namespace pipit {

/// Which threads answer a request.
enum class RequestClass {
  quick,   ///< from memory: one thread
  query,   ///< reads the store and may take long
  write,   ///< remote write, which must go on while all queries are busy
  verify,  ///< its password must be checked first, which is slow; then it is asked for its class again
};

struct HttpServerOptions {
  std::vector<std::string> listen_addresses;
  DurationMs read_timeout = DurationMs{5} * 60'000;  ///< to read a whole request, and to keep an idle connection
  unsigned max_connections = 512;
  unsigned query_workers = 4;           ///< threads for RequestClass::query
  unsigned write_workers = 2;           ///< threads for RequestClass::write
  std::size_t max_buffered = 32 << 20;  ///< bytes of unfinished requests, of all connections together
  RequestLimits limits;
};

/// Connections and threads of the HTTP server.
///
/// One thread accepts, and waits in epoll for all connections. It reads without blocking until a request is whole and
/// only then gives it to a worker; an answer that the client does not take waits in epoll too. So idle, slow
/// and hostile clients cost a descriptor and a bounded buffer, never a thread. While a request is
/// worked on, its connection is watched: a client that hangs up sets the request's `canceled`.
///
/// Requests of one connection are answered one after the other, in order. Requests that may take long have threads
/// of their own, so that health checks pass while every one of those is busy. Thread-safe.
class HttpServer {
 public:
  /// Runs on a worker.
  using Answerer = std::function<EncodedAnswer(RawRequest, const std::atomic<bool>& canceled)>;
  /// To which class a request belongs. Runs on the loop's thread.
  using Classifier = std::function<RequestClass(const RawRequest&)>;
  /// What TLS connections that are accepted now share; null for plain HTTP. Runs on the loop's thread.
  using TlsSource = std::function<std::shared_ptr<const TlsServerContext>()>;
  /// Checks a request of RequestClass::verify. Runs on a thread of its own.
  using Verifier = std::function<void(const RawRequest&)>;

  /// `metrics` must outlive the server. Without `tls` all is plain HTTP; without `verify` no request is of that class.
  HttpServer(HttpServerOptions options, Answerer answerer, Classifier classify, MetricsRegistry& metrics,
             TlsSource tls = nullptr, Verifier verify = nullptr);
  ~HttpServer();

  /// Listens on the options' addresses and serves.
  Status start();
  /// Serves what connects to these sockets, which somebody bound before.
  Status start(std::vector<Listener> listeners);
  /// Stops accepting, gives running requests a second, cancels what is left and closes.
  void stop();
  std::vector<int> ports() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace pipit
