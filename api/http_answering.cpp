#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "api/http_loop.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

using std::chrono::milliseconds;

/// Without the client taking a single byte of its answer.
constexpr milliseconds kWriteTimeout{60'000};
constexpr milliseconds kDrainTimeout{2'000};
constexpr milliseconds kStopTimeout{1'000};

}  // namespace

// ---- answering -----------------------------------------------------------------------------------------------

/// Its arithmetic would hold up all other connections here.
void HttpServer::Loop::shake_hands(HttpConnection& connection) {
  if (stop_deadline_) return close(connection);
  watch(connection, EPOLLET);
  run_on(handshake_workers_, connection);
}

void HttpServer::Loop::give_to_worker(HttpConnection& connection) {
  if (stop_deadline_ && !connection.answering) return close(connection);
  if (connection.answering) {
    watch(connection, EPOLLET);
    return run_on(stream_workers_, connection);
  }
  const RequestClass request_class = classify_(connection.reader.request());
  connection.verifying = request_class == RequestClass::verify;
  if (connection.verifying && verifying_ >= kMostVerifying) return refuse(connection, 503);
  if (connection.verifying) ++verifying_;
  connection.answering = connection.unanswered = true;
  connection.blocked = false;
  connection.canceled = false;
  ++in_flight_;
  requests_in_flight_.set(static_cast<double>(in_flight_));
  // Once it gets its answer, a client may close its own direction, but not before. Most clients send nothing until
  // then: what is watched for the next request tells hang-ups too, and needs no system call here.
  if (connection.watched != kReading) watch(connection, kHangUp);
  run_on(pool_for(request_class), connection);
}

WorkerPool& HttpServer::Loop::pool_for(RequestClass request_class) {
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

void HttpServer::Loop::run_on(WorkerPool& pool, HttpConnection& connection) {
  connection.state = State::running;
  connection.input_seen = connection.watched != kReading;
  HttpConnection* job = &connection;
  if (!pool.submit([this, job] { work_on(*job); })) take_back({job, HttpConnection::Progress::failed});
}

/// Something came of a connection that a worker has: a hang-up, after which nobody would read the answer, or what is
/// read when the worker is done.
void HttpServer::Loop::saw_input(HttpConnection& connection, std::uint32_t events) {
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection.canceled.store(true, std::memory_order_relaxed);
  if (connection.watched != kReading) return;
  watch(connection, kHangUp);
  const std::lock_guard lock(completions_mutex_);
  connection.input_seen = true;
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
  const bool answered = progress == HttpConnection::Progress::done;
  if (answered) {
    std::string().swap(connection.answer.bytes);
    if (connection.answer.close) connection.socket.end();
    connection.ended = connection.answer.close;
  }
  // An answered client's next request, or its close, is an event that brings the loop here; until then nothing is due.
  bool urgent = !answered || connection.reader.state() != RequestReader::State::idle;
  {
    std::lock_guard lock(completions_mutex_);
    completions_.push_back({&connection, progress});
    urgent = urgent || connection.input_seen || stop_requested_;
  }
  if (urgent) wake();
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
  if (connection.verifying) --verifying_;
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
      return watch(connection, kReading);
    case HttpConnection::Progress::unread:
      return watch(connection, kReading);
    case HttpConnection::Progress::verified:
      if (stop_deadline_ && Clock::now() >= *stop_deadline_) return close(connection);
      return run_verified(connection);
    case HttpConnection::Progress::blocked:
      if (stop_deadline_ && Clock::now() >= *stop_deadline_) return close(connection);
      if (!handshaking && (connection.wrote_some || !connection.blocked)) set_deadline(connection, kWriteTimeout);
      connection.blocked = true;
      return watch(connection, EPOLLOUT);
  }
}

/// Its verdict is remembered now, unless many others' came at the same time.
void HttpServer::Loop::run_verified(HttpConnection& connection) {
  const RequestClass request_class = classify_(connection.reader.request());
  connection.verifying = request_class == RequestClass::verify;
  if (connection.verifying) ++verifying_;
  run_on(pool_for(request_class), connection);
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
  if (connection.reader.state() != RequestReader::State::complete) watch(connection, kReading);
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
  if (!connection.ended) connection.socket.end();
  connection.state = State::draining;
  set_deadline(connection, stop_deadline_ ? milliseconds(0) : kDrainTimeout);
  watch(connection, kReading);
}

void HttpServer::Loop::drain_some(HttpConnection& connection) {
  // Ciphertext, if any: nobody looks at it.
  ssize_t n = recv(connection.socket.fd(), read_buffer_.data(), read_buffer_.size(), 0);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close(connection);
}

// ---- watching and closing ------------------------------------------------------------------------------------

void HttpServer::Loop::watch(HttpConnection& connection, std::uint32_t events) {
  // Asked again for edges, epoll reports those that came before.
  if (connection.watched == events && (events & EPOLLET) == 0) return;
  const int operation = connection.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  connection.watched = events;
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

}  // namespace pipit
