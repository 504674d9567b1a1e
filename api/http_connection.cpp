#include "api/http_connection.h"

namespace pipit {
namespace {

/// After so much, others get their turn.
constexpr std::size_t kTurnBytes = 1 << 20;

}  // namespace

HttpConnection::Progress HttpConnection::handshake() {
  switch (socket.handshake()) {
    case HttpSocket::Io::moved:
      return Progress::encrypted;
    case HttpSocket::Io::want_read:
      return Progress::unread;
    case HttpSocket::Io::want_write:
      return Progress::blocked;
    case HttpSocket::Io::closed:
      break;
  }
  return Progress::failed;
}

HttpConnection::Progress HttpConnection::write() {
  wrote_some = false;
  std::size_t wrote = 0;
  while (true) {
    while (sent < answer.bytes.size()) {
      std::size_t moved = 0;
      const HttpSocket::Io io = socket.write(std::string_view(answer.bytes).substr(sent), moved);
      if (io == HttpSocket::Io::closed) return Progress::failed;
      // TLS needs nothing from the client for this, as renegotiation is off.
      if (io != HttpSocket::Io::moved) return Progress::blocked;
      sent += moved;
      wrote += moved;
      wrote_some = true;
    }
    answer.bytes.clear();
    sent = 0;
    if (!answer.rest) return Progress::done;
    if (wrote >= kTurnBytes) return Progress::blocked;
    if (!answer.rest->next(answer.bytes)) answer.rest.reset();
  }
}

}  // namespace pipit
