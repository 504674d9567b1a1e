#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

namespace pipit {

/// The requests of a connection that a test's server serves by itself, with their bodies.
class RequestStream {
 public:
  explicit RequestStream(int fd) : fd_(fd) {}

  /// Reads the next one whole. False when the client has gone.
  bool next() {
    bytes_.erase(0, taken_);
    taken_ = 0;
    char buffer[16384];
    for (;;) {
      if (const auto end = bytes_.find("\r\n\r\n"); end != std::string::npos) {
        head = bytes_.substr(0, end + 2);
        const auto at = head.find("Content-Length: ");
        const std::size_t length = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
        if (bytes_.size() >= end + 4 + length) {
          body = bytes_.substr(end + 4, length);
          taken_ = end + 4 + length;
          return true;
        }
      }
      const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) return false;
      bytes_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  /// False when the client has gone.
  bool answer(std::string_view text) const { return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) >= 0; }

  // Of the request that `next` read.
  std::string head;  ///< lines that end with CRLF
  std::string body;

 private:
  int fd_;
  std::string bytes_;
  std::size_t taken_ = 0;
};

}  // namespace pipit
