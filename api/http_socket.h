#pragma once

#include <cstddef>
#include <string_view>

#include "api/listener.h"
#include "api/tls_server.h"

namespace pipit {

/// A client's nonblocking socket, plain or with TLS around it. Used by one thread at a time.
class HttpSocket {
 public:
  enum class Io {
    moved,
    want_read,   ///< the socket must become readable first
    want_write,  ///< writable
    closed,      ///< by the peer, or broken
  };

  /// `tls` null: plain.
  explicit HttpSocket(UniqueFd fd, SslPtr tls = nullptr) : fd_(std::move(fd)), tls_(std::move(tls)) {}

  int fd() const { return fd_.get(); }
  /// A handshake must come first.
  bool is_encrypted() const { return tls_ != nullptr; }

  /// Goes on with the handshake. `moved`: it is done. A peer that speaks plain HTTP is told so.
  Io handshake();
  /// Reads at most `room` bytes. With 16 KB of room or more nothing that came stays behind in here.
  Io read(char* data, std::size_t room, std::size_t& moved);
  /// Writes some of `bytes`. After `want_*` it must be called again with the same bytes, or more behind them.
  Io write(std::string_view bytes, std::size_t& moved);
  /// Says that nothing more will be written.
  void end();

 private:
  Io outcome(int result) const;

  UniqueFd fd_;
  SslPtr tls_;
};

}  // namespace pipit
