#pragma once

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/http_connection.h"
#include "api/http_server.h"
#include "api/listener.h"
#include "api/worker_pool.h"

namespace pipit {

/// The thread in epoll and the workers behind an HttpServer. Accepting and reading are in http_server.cpp, what follows
/// a whole request in http_answering.cpp.
class HttpServer::Loop {
 public:
  Loop(HttpServerOptions options, Answerer answerer, Classifier classify, MetricsRegistry& metrics, TlsSource tls,
       Verifier verify)
      : options_(std::move(options)),
        answerer_(std::move(answerer)),
        classify_(std::move(classify)),
        tls_(std::move(tls)),
        verify_(std::move(verify)),
        query_workers_(std::max(1u, options_.query_workers)),
        write_workers_(std::max(1u, options_.write_workers)),
        open_connections_(metrics.gauge("pipit_http_connections", "Open connections of the HTTP server.")),
        accepted_(metrics.counter("pipit_http_connections_accepted_total", "Connections that were accepted.")),
        evicted_(metrics.counter("pipit_http_connections_evicted_total",
                                 "Idle connections that were closed because new ones came at the limit.")),
        requests_in_flight_(metrics.gauge("pipit_http_requests_in_flight", "Requests being answered.")) {
    if (tls_) {
      failed_handshakes_ = &metrics.counter("pipit_http_tls_handshake_failures_total",
                                            "Connections that were closed before TLS was agreed on.");
    }
  }
  ~Loop() { stop(); }

  Status start(std::vector<Listener> listeners);
  const std::vector<std::string>& addresses() const { return options_.listen_addresses; }
  void stop();
  std::vector<int> ports() const;

 private:
  using Clock = HttpConnection::Clock;
  using State = HttpConnection::State;
  using milliseconds = std::chrono::milliseconds;

  /// A head comes in one or two packets; who needs longer is broken or means harm.
  static constexpr milliseconds kHeadTimeout{30'000};
  static constexpr std::size_t kReadBytes = 32 << 10;
  /// Workers wake the loop only for what can't wait; their other answers are taken back with the next event, or then.
  static constexpr milliseconds kLatestTakingBack{100};
  static constexpr std::uint32_t kReading = EPOLLIN | EPOLLRDHUP;
  /// Edge-triggered, as what nobody reads now would be reported again and again otherwise.
  static constexpr std::uint32_t kHangUp = EPOLLET | EPOLLRDHUP;
  static constexpr std::uint64_t kFirstConnectionId = 1'000;
  /// Whose passwords wait to be checked, a tenth of a second each: who comes then is told to come again, and those
  /// whose passwords are known go on.
  static constexpr std::size_t kMostVerifying = 32;

  struct Completion {
    HttpConnection* connection;
    HttpConnection::Progress progress;
  };

  // On the loop's thread:
  void run();
  void handle(const epoll_event& event);
  void accept_all(Listener& listener);
  bool make_room();
  void pause_accepting(bool paused);
  void shake_hands(HttpConnection& connection);
  void read_some(HttpConnection& connection);
  void drain_some(HttpConnection& connection);
  void after_read(HttpConnection& connection);
  void give_to_worker(HttpConnection& connection);
  WorkerPool& pool_for(RequestClass request_class);
  void run_verified(HttpConnection& connection);
  void run_on(WorkerPool& pool, HttpConnection& connection);
  void saw_input(HttpConnection& connection, std::uint32_t events);
  void take_back(const Completion& completion);
  void finish_answer(HttpConnection& connection);
  void refuse(HttpConnection& connection, int status);
  void start_draining(HttpConnection& connection);
  void start_stopping();
  void sweep(Clock::time_point now);
  void watch(HttpConnection& connection, std::uint32_t events);
  void set_deadline(HttpConnection& connection, milliseconds from_now);
  void count_bytes(HttpConnection& connection);
  void close(HttpConnection& connection);
  void drain_completions();
  int wait_time(Clock::time_point now) const;

  // On workers:
  void work_on(HttpConnection& connection);

  void wake();

  const HttpServerOptions options_;
  const Answerer answerer_;
  const Classifier classify_;
  const TlsSource tls_;
  const Verifier verify_;
  WorkerPool quick_workers_{1};
  WorkerPool stream_workers_{2};  ///< for what is left of answers that their clients did not take at once
  // What strangers can cause costs time here, where nobody else waits for it.
  WorkerPool handshake_workers_{1};
  WorkerPool verify_workers_{1};
  WorkerPool query_workers_;
  WorkerPool write_workers_;
  std::vector<Listener> listeners_;
  UniqueFd epoll_;
  UniqueFd wake_;
  std::thread thread_;
  std::unordered_map<std::uint64_t, std::unique_ptr<HttpConnection>> connections_;
  std::uint64_t next_id_ = kFirstConnectionId;
  std::size_t buffered_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t verifying_ = 0;
  bool accepting_paused_ = false;
  Clock::time_point next_sweep_ = Clock::time_point::max();
  std::optional<Clock::time_point> stop_deadline_;
  std::array<char, kReadBytes> read_buffer_;

  std::atomic<bool> stop_requested_{false};
  std::mutex completions_mutex_;
  std::vector<Completion> completions_;

  Gauge& open_connections_;
  Counter& accepted_;
  Counter& evicted_;
  Gauge& requests_in_flight_;
  Counter* failed_handshakes_ = nullptr;  ///< null without TLS
};

}  // namespace pipit
