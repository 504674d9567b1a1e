#include "api/http_socket.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

namespace pipit {

HttpSocket::Io HttpSocket::outcome(int result) const {
  if (result > 0) return Io::moved;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Io::want_read;
    case SSL_ERROR_WANT_WRITE:
      return Io::want_write;
    default:
      return Io::closed;
  }
}

HttpSocket::Io HttpSocket::handshake() {
  ERR_clear_error();
  const Io io = outcome(SSL_do_handshake(tls_.get()));
  if (io == Io::closed && ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST) {
    constexpr std::string_view kAnswer =
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    static_cast<void>(send(fd(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL));
  }
  ERR_clear_error();
  return io;
}

HttpSocket::Io HttpSocket::read(char* data, std::size_t room, std::size_t& moved) {
  if (tls_) {
    ERR_clear_error();
    return outcome(SSL_read_ex(tls_.get(), data, room, &moved));
  }
  const ssize_t n = recv(fd(), data, room, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return Io::want_read;
  if (n <= 0) return Io::closed;
  moved = static_cast<std::size_t>(n);
  return Io::moved;
}

HttpSocket::Io HttpSocket::write(std::string_view bytes, std::size_t& moved) {
  if (tls_) {
    ERR_clear_error();
    return outcome(SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &moved));
  }
  ssize_t n = 0;
  do {
    n = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Io::want_write : Io::closed;
  moved = static_cast<std::size_t>(n);
  return Io::moved;
}

void HttpSocket::end() {
  if (tls_ && SSL_is_init_finished(tls_.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
    ERR_clear_error();
  }
  shutdown(fd(), SHUT_WR);
}

}  // namespace pipit
