#include "api/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "api/http_connection.h"
#include "api/listener.h"
#include "api/worker_pool.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

using Clock = HttpConnection::Clock;
using State = HttpConnection::State;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A head comes in one or two packets; who needs longer is broken or means harm.
constexpr milliseconds kHeadTimeout = seconds(30);
constexpr milliseconds kHandshakeTimeout = seconds(10);
/// Without the client taking a single byte of its answer.
constexpr milliseconds kWriteTimeout = seconds(60);
constexpr milliseconds kDrainTimeout = seconds(2);
constexpr milliseconds kStopTimeout = seconds(1);
constexpr milliseconds kAcceptPause = milliseconds(200);
constexpr std::size_t kReadBytes = 32 << 10;

constexpr std::uint64_t kWakeId = 0;
constexpr std::uint64_t kFirstListenerId = 1;
constexpr std::uint64_t kFirstConnectionId = 1'000;

}  // namespace

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
  WorkerPool& pool_for_request(HttpConnection& connection);
  void run_on(WorkerPool& pool, HttpConnection& connection, std::uint32_t events);
  void take_back(const Completion& completion);
  void finish_answer(HttpConnection& connection);
  void refuse(HttpConnection& connection, int status);
  void start_draining(HttpConnection& connection);
  void start_stopping();
  void sweep(Clock::time_point now);
  void watch(HttpConnection& connection, std::uint32_t events, int operation = EPOLL_CTL_MOD);
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

Status HttpServer::Loop::start(std::vector<Listener> listeners) {
  listeners_ = std::move(listeners);
  epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_.valid() || !wake_.valid()) return Error{ErrorKind::unavailable, std::strerror(errno)};
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    event.data.u64 = kFirstListenerId + i;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listeners_[i].fd.get(), &event);
  }
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "http loop");
  return {};
}

void HttpServer::Loop::stop() {
  if (!thread_.joinable()) return;
  stop_requested_ = true;
  wake();
  thread_.join();
  handshake_workers_.stop();
  verify_workers_.stop();
  query_workers_.stop();
  write_workers_.stop();
  stream_workers_.stop();
  quick_workers_.stop();
}

std::vector<int> HttpServer::Loop::ports() const {
  std::vector<int> ports;
  ports.reserve(listeners_.size());
  for (const Listener& listener : listeners_) ports.push_back(listener.port);
  return ports;
}

void HttpServer::Loop::wake() {
  std::uint64_t one = 1;
  // It can fail only when a wake-up is pending already.
  [[maybe_unused]] ssize_t n = write(wake_.get(), &one, sizeof one);
}

void HttpServer::Loop::run() {
  std::array<epoll_event, 64> events;
  while (!stop_deadline_ || in_flight_ > 0 || !connections_.empty()) {
    int n = epoll_wait(epoll_.get(), events.data(), events.size(), wait_time(Clock::now()));
    for (int i = 0; i < n; ++i) handle(events[static_cast<std::size_t>(i)]);
    drain_completions();
    if (stop_requested_ && !stop_deadline_) start_stopping();
    Clock::time_point now = Clock::now();
    if (now >= next_sweep_) sweep(now);
  }
}

int HttpServer::Loop::wait_time(Clock::time_point now) const {
  if (next_sweep_ == Clock::time_point::max()) return -1;
  auto left = std::chrono::ceil<milliseconds>(next_sweep_ - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void HttpServer::Loop::handle(const epoll_event& event) {
  if (event.data.u64 == kWakeId) {
    std::uint64_t count = 0;
    [[maybe_unused]] ssize_t n = ::read(wake_.get(), &count, sizeof count);
    return;
  }
  if (event.data.u64 < kFirstConnectionId) {
    if (!stop_deadline_) accept_all(listeners_[event.data.u64 - kFirstListenerId]);
    return;
  }
  auto found = connections_.find(event.data.u64);
  if (found == connections_.end()) return;
  HttpConnection& connection = *found->second;
  switch (connection.state) {
    case State::handshaking:
      return shake_hands(connection);
    case State::reading:
      return read_some(connection);
    case State::draining:
      return drain_some(connection);
    case State::running:
      // Only a hang-up is waited for; nobody would read the answer.
      connection.canceled.store(true, std::memory_order_relaxed);
      return;
    case State::writing:
      if (event.events & (EPOLLERR | EPOLLHUP)) return close(connection);
      return give_to_worker(connection);
  }
}

// ---- accepting -----------------------------------------------------------------------------------------------

void HttpServer::Loop::accept_all(Listener& listener) {
  while (true) {
    if (connections_.size() >= options_.max_connections && !make_room()) return pause_accepting(true);
    UniqueFd fd(accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        if (!make_room()) pause_accepting(true);
      }
      return;
    }
    int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    accepted_.add();
    std::uint64_t id = next_id_++;
    const auto tls = tls_ ? tls_() : nullptr;
    SslPtr ssl = tls ? tls->accept(fd.get()) : nullptr;
    if (tls && !ssl) continue;  // no memory
    HttpSocket socket(std::move(fd), std::move(ssl));
    auto& connection = *(connections_[id] = std::make_unique<HttpConnection>(std::move(socket), id, options_.limits));
    open_connections_.set(static_cast<double>(connections_.size()));
    connection.idle_since = Clock::now();
    if (connection.socket.is_encrypted()) connection.state = State::handshaking;
    set_deadline(connection, std::min(tls ? kHandshakeTimeout : kHeadTimeout, milliseconds(options_.read_timeout)));
    watch(connection, EPOLLIN | EPOLLRDHUP, EPOLL_CTL_ADD);
  }
}

/// Closes the connection that has waited longest for a client: new clients are likelier to mean something.
bool HttpServer::Loop::make_room() {
  HttpConnection* oldest = nullptr;
  for (auto& [id, connection] : connections_) {
    if (connection->state == State::running) continue;
    if (!oldest || connection->idle_since < oldest->idle_since) oldest = connection.get();
  }
  if (!oldest) return false;
  evicted_.add();
  close(*oldest);
  return true;
}

void HttpServer::Loop::pause_accepting(bool paused) {
  accepting_paused_ = paused;
  if (paused) next_sweep_ = std::min(next_sweep_, Clock::now() + kAcceptPause);
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    epoll_event event{};
    if (!paused) event.events = EPOLLIN;
    event.data.u64 = kFirstListenerId + i;
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listeners_[i].fd.get(), &event);
  }
}

// ---- reading -------------------------------------------------------------------------------------------------

void HttpServer::Loop::read_some(HttpConnection& connection) {
  std::size_t n = 0;
  const HttpSocket::Io io = connection.socket.read(read_buffer_.data(), read_buffer_.size(), n);
  if (io == HttpSocket::Io::closed) return close(connection);
  if (io != HttpSocket::Io::moved) return;
  bool was_idle = connection.reader.state() == RequestReader::State::idle;
  bool was_in_body = connection.reader.in_body();
  connection.reader.feed({read_buffer_.data(), n});
  count_bytes(connection);
  // The clock of a head or a body starts with it: trickling bytes gains a client nothing.
  auto read_timeout = milliseconds(options_.read_timeout);
  if (connection.reader.in_body()) {
    if (!was_in_body) set_deadline(connection, read_timeout);
  } else if (was_idle) {
    set_deadline(connection, std::min(kHeadTimeout, read_timeout));
  }
  after_read(connection);
}

void HttpServer::Loop::after_read(HttpConnection& connection) {
  switch (connection.reader.state()) {
    case RequestReader::State::complete:
      return give_to_worker(connection);
    case RequestReader::State::failed:
      return refuse(connection, connection.reader.error_status());
    case RequestReader::State::reading:
      if (buffered_ > options_.max_buffered) return refuse(connection, 503);
      if (connection.reader.take_expect_continue()) {
        constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        std::size_t n = 0;
        if (connection.socket.write(kContinue, n) != HttpSocket::Io::moved) close(connection);
      }
      return;
    case RequestReader::State::idle:
      return;
  }
}

void HttpServer::Loop::count_bytes(HttpConnection& connection) {
  buffered_ -= connection.counted_bytes;
  connection.counted_bytes = connection.reader.buffered();
  buffered_ += connection.counted_bytes;
}

// ---- answering -----------------------------------------------------------------------------------------------

/// Its arithmetic would hold up all other connections here.
void HttpServer::Loop::shake_hands(HttpConnection& connection) {
  if (stop_deadline_) return close(connection);
  run_on(handshake_workers_, connection, EPOLLET);
}

void HttpServer::Loop::give_to_worker(HttpConnection& connection) {
  if (stop_deadline_ && !connection.answering) return close(connection);
  if (connection.answering) return run_on(stream_workers_, connection, EPOLLET);
  connection.answering = connection.unanswered = true;
  connection.blocked = false;
  connection.canceled = false;
  ++in_flight_;
  requests_in_flight_.set(static_cast<double>(in_flight_));
  // Once it gets its answer, a client may close its own direction, but not before.
  run_on(pool_for_request(connection), connection, EPOLLET | EPOLLRDHUP);
}

WorkerPool& HttpServer::Loop::pool_for_request(HttpConnection& connection) {
  const RequestClass request_class = classify_(connection.reader.request());
  connection.verifying = request_class == RequestClass::verify;
  switch (request_class) {
    case RequestClass::query:
      return query_workers_;
    case RequestClass::write:
      return write_workers_;
    case RequestClass::verify:
      return verify_workers_;
    case RequestClass::quick:
      break;
  }
  return quick_workers_;
}

/// `events`: edge-triggered, as a hang-up would be reported again and again otherwise.
void HttpServer::Loop::run_on(WorkerPool& pool, HttpConnection& connection, std::uint32_t events) {
  connection.state = State::running;
  watch(connection, events);
  HttpConnection* job = &connection;
  if (!pool.submit([this, job] { work_on(*job); })) take_back({job, HttpConnection::Progress::failed});
}

void HttpServer::Loop::work_on(HttpConnection& connection) {
  auto progress = HttpConnection::Progress::failed;
  try {
    if (!connection.answering) {
      progress = connection.handshake();
    } else if (connection.verifying) {
      verify_(connection.reader.request());
      progress = HttpConnection::Progress::verified;
    } else {
      if (connection.unanswered) {
        connection.unanswered = false;
        connection.answer = answerer_(connection.reader.take(), connection.canceled);
        connection.sent = 0;
      }
      progress = connection.write();
    }
  } catch (const std::exception& e) {
    log_error("An answer could not be sent.", {{"error", e.what()}});
  }
  {
    std::lock_guard lock(completions_mutex_);
    completions_.push_back({&connection, progress});
  }
  wake();
}

void HttpServer::Loop::drain_completions() {
  std::vector<Completion> completions;
  {
    std::lock_guard lock(completions_mutex_);
    completions.swap(completions_);
  }
  for (const Completion& completion : completions) take_back(completion);
}

void HttpServer::Loop::take_back(const Completion& completion) {
  HttpConnection& connection = *completion.connection;
  const bool handshaking = !connection.answering;
  connection.state = handshaking ? State::handshaking : State::writing;
  connection.idle_since = Clock::now();
  count_bytes(connection);
  if (handshaking && stop_deadline_) return close(connection);
  switch (completion.progress) {
    case HttpConnection::Progress::failed:
      if (handshaking) failed_handshakes_->add();
      return close(connection);
    case HttpConnection::Progress::done:
      return finish_answer(connection);
    case HttpConnection::Progress::encrypted:
      connection.state = State::reading;
      set_deadline(connection, std::min(kHeadTimeout, milliseconds(options_.read_timeout)));
      return watch(connection, EPOLLIN | EPOLLRDHUP);
    case HttpConnection::Progress::unread:
      return watch(connection, EPOLLIN | EPOLLRDHUP);
    case HttpConnection::Progress::verified:
      if (stop_deadline_ && Clock::now() >= *stop_deadline_) return close(connection);
      return run_on(pool_for_request(connection), connection, EPOLLET | EPOLLRDHUP);
    case HttpConnection::Progress::blocked:
      if (stop_deadline_ && Clock::now() >= *stop_deadline_) return close(connection);
      if (!handshaking && (connection.wrote_some || !connection.blocked)) set_deadline(connection, kWriteTimeout);
      connection.blocked = true;
      return watch(connection, EPOLLOUT);
  }
}

void HttpServer::Loop::finish_answer(HttpConnection& connection) {
  bool last = connection.answer.close || stop_deadline_.has_value();
  connection.answer = EncodedAnswer();
  connection.answering = false;
  --in_flight_;
  requests_in_flight_.set(static_cast<double>(in_flight_));
  if (last) return start_draining(connection);

  connection.state = State::reading;
  bool idle = connection.reader.state() == RequestReader::State::idle;
  auto read_timeout = milliseconds(options_.read_timeout);
  set_deadline(connection, idle ? read_timeout : std::min(kHeadTimeout, read_timeout));
  if (connection.reader.state() != RequestReader::State::complete) watch(connection, EPOLLIN | EPOLLRDHUP);
  after_read(connection);
}

void HttpServer::Loop::refuse(HttpConnection& connection, int status) {
  std::string answer = HttpExchange::error_answer(status);
  // It fits into the socket's buffer; if not, the client asked for more than it read.
  std::size_t n = 0;
  if (connection.socket.write(answer, n) != HttpSocket::Io::moved) return close(connection);
  start_draining(connection);
}

/// Closing with unread bytes makes the kernel send a reset, which can destroy the answer on its way.
void HttpServer::Loop::start_draining(HttpConnection& connection) {
  connection.socket.end();
  connection.state = State::draining;
  set_deadline(connection, stop_deadline_ ? milliseconds(0) : kDrainTimeout);
  watch(connection, EPOLLIN | EPOLLRDHUP);
}

void HttpServer::Loop::drain_some(HttpConnection& connection) {
  // Ciphertext, if any: nobody looks at it.
  ssize_t n = recv(connection.socket.fd(), read_buffer_.data(), read_buffer_.size(), 0);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close(connection);
}

// ---- watching and closing ------------------------------------------------------------------------------------

void HttpServer::Loop::watch(HttpConnection& connection, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = connection.id;
  epoll_ctl(epoll_.get(), operation, connection.socket.fd(), &event);
}

void HttpServer::Loop::set_deadline(HttpConnection& connection, milliseconds from_now) {
  connection.deadline = Clock::now() + from_now;
  next_sweep_ = std::min(next_sweep_, connection.deadline);
}

void HttpServer::Loop::sweep(Clock::time_point now) {
  if (accepting_paused_ && !stop_deadline_) pause_accepting(false);
  bool stop_now = stop_deadline_ && now >= *stop_deadline_;
  next_sweep_ = stop_deadline_ && !stop_now ? *stop_deadline_ : Clock::time_point::max();
  std::vector<HttpConnection*> late;
  for (auto& [id, connection] : connections_) {
    if (connection->state == State::running) {
      if (!stop_now) continue;
      connection->canceled = true;
      shutdown(connection->socket.fd(), SHUT_RDWR);
    } else if (stop_now || connection->deadline <= now) {
      late.push_back(connection.get());
    } else {
      next_sweep_ = std::min(next_sweep_, connection->deadline);
    }
  }
  for (HttpConnection* connection : late) {
    bool half_read = connection->state == State::reading && connection->reader.state() == RequestReader::State::reading;
    if (half_read && !stop_now) {
      refuse(*connection, 408);
    } else {
      close(*connection);
    }
  }
}

void HttpServer::Loop::start_stopping() {
  Clock::time_point now = Clock::now();
  stop_deadline_ = now + kStopTimeout;
  listeners_.clear();
  std::vector<HttpConnection*> unused;
  for (auto& [id, connection] : connections_) {
    const bool busy = connection->answering || connection->state == State::running;
    if (!busy) unused.push_back(connection.get());
  }
  for (HttpConnection* connection : unused) close(*connection);
  next_sweep_ = *stop_deadline_;
}

void HttpServer::Loop::close(HttpConnection& connection) {
  if (connection.answering) {
    --in_flight_;
    requests_in_flight_.set(static_cast<double>(in_flight_));
  }
  buffered_ -= connection.counted_bytes;
  connections_.erase(connection.id);
  open_connections_.set(static_cast<double>(connections_.size()));
}

HttpServer::HttpServer(HttpServerOptions options, Answerer answerer, Classifier classify, MetricsRegistry& metrics,
                       TlsSource tls, Verifier verify)
    : loop_(std::make_unique<Loop>(std::move(options), std::move(answerer), std::move(classify), metrics,
                                   std::move(tls), std::move(verify))) {}

HttpServer::~HttpServer() = default;

Status HttpServer::start() {
  auto listeners = listen_on(loop_->addresses());
  return listeners.ok() ? loop_->start(std::move(*listeners)) : Status(listeners.error());
}
Status HttpServer::start(std::vector<Listener> listeners) { return loop_->start(std::move(listeners)); }

void HttpServer::stop() { loop_->stop(); }

std::vector<int> HttpServer::ports() const { return loop_->ports(); }

}  // namespace pipit
