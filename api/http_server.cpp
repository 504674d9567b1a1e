#include "api/http_server.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "api/http_loop.h"

namespace pipit {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHandshakeTimeout{10'000};
constexpr milliseconds kAcceptPause{200};

constexpr std::uint64_t kWakeId = 0;
constexpr std::uint64_t kFirstListenerId = 1;

}  // namespace

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
    drain_completions();  // before the events, which may be of connections that are in there
    for (int i = 0; i < n; ++i) handle(events[static_cast<std::size_t>(i)]);
    drain_completions();
    if (stop_requested_ && !stop_deadline_) start_stopping();
    Clock::time_point now = Clock::now();
    if (now >= next_sweep_) sweep(now);
  }
}

int HttpServer::Loop::wait_time(Clock::time_point now) const {
  const std::int64_t longest = in_flight_ > 0 ? kLatestTakingBack.count() : 60'000;
  if (next_sweep_ == Clock::time_point::max()) return in_flight_ > 0 ? static_cast<int>(longest) : -1;
  auto left = std::chrono::ceil<milliseconds>(next_sweep_ - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, longest));
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
      return saw_input(connection, event.events);
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
    watch(connection, kReading);
    if (!tls) read_some(connection);  // most send their request at once
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
