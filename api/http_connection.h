#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "api/http_exchange.h"
#include "api/http_socket.h"
#include "api/request_reader.h"

namespace pipit {

/// One client's connection, between requests and during one. It belongs to the loop's thread, except while it
/// is `running`: then it is the worker's, and the loop touches only `canceled`, `input_seen`, `watched` and the
/// socket's descriptor.
struct HttpConnection {
  using Clock = std::chrono::steady_clock;

  enum class State {
    handshaking,  ///< TLS waits for the client
    reading,      ///< waits for (more of) a request
    running,      ///< a worker has it
    writing,      ///< the client does not take its answer at the moment
    draining,     ///< answered for the last time; reads on for a while so that the client sees the answer
  };
  enum class Progress {
    done,
    blocked,    ///< by the client, which does not take what is there
    unread,     ///< by the client, which has not sent what a handshake needs
    encrypted,  ///< the handshake is done
    verified,   ///< the request's credentials are looked at, and it may be answered
    failed,
  };

  HttpConnection(HttpSocket client, std::uint64_t connection_id, const RequestLimits& limits)
      : socket(std::move(client)), id(connection_id), reader(limits) {}

  /// Goes on with the handshake.
  Progress handshake();

  /// Sends what is there and what `answer.rest` makes until the answer is done or the client stops taking it.
  Progress write();

  HttpSocket socket;
  const std::uint64_t id;
  State state = State::reading;
  RequestReader reader;
  Clock::time_point deadline{};  ///< when the loop closes it; unused while running
  Clock::time_point idle_since{};
  std::size_t counted_bytes = 0;  ///< of the reader, in the loop's total
  bool answering = false;         ///< from the moment a request is given to a worker until its answer is sent
  bool unanswered = false;        ///< the reader still holds that request
  bool verifying = false;         ///< the worker only looks at its credentials
  bool blocked = false;           ///< the client did not take all of the answer at once
  bool wrote_some = false;        ///< in the last call of write()
  bool ended = false;             ///< the worker has said that nothing more will be written
  bool input_seen = false;        ///< more came while a worker had it; the loop's lock of completions guards it
  std::uint32_t watched = 0;      ///< what epoll is asked for
  EncodedAnswer answer;
  std::size_t sent = 0;  ///< of answer.bytes
  std::atomic<bool> canceled{false};
};

}  // namespace pipit
