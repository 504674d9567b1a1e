#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/result.h"

namespace pipit {

/// A file descriptor with an owner.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct Listener {
  UniqueFd fd;
  int port = 0;
};

/// A listening, nonblocking socket on `HOST:PORT`, `:PORT` (all addresses, both families) or `[IPV6]:PORT`.
/// Port 0 takes a free one. A port that any other process listens on is an error (unavailable).
Result<Listener> listen_on(const std::string& address);
/// The same for all, or the first error.
Result<std::vector<Listener>> listen_on(const std::vector<std::string>& addresses);

}  // namespace pipit
