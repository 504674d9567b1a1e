#include "api/http_connection.h"

#include <sys/socket.h>

#include <cerrno>

namespace pipit {

HttpConnection::Progress HttpConnection::write() {
  wrote_some = false;
  while (true) {
    while (sent < answer.bytes.size()) {
      ssize_t n = send(fd.get(), answer.bytes.data() + sent, answer.bytes.size() - sent, MSG_NOSIGNAL);
      if (n > 0) {
        sent += static_cast<std::size_t>(n);
        wrote_some = true;
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return Progress::blocked;
      } else if (errno != EINTR) {
        return Progress::failed;
      }
    }
    answer.bytes.clear();
    sent = 0;
    if (!answer.rest) return Progress::done;
    if (!answer.rest->next(answer.bytes)) answer.rest.reset();
  }
}

}  // namespace pipit
