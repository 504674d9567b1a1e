#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pipit {

/// A scripted HTTP server on a free loopback port: it says byte for byte what a test wants said.
class PageServer {
 public:
  /// One connection of a client, as the script sees it.
  class Peer {
   public:
    Peer(int fd, const std::atomic<bool>& stopping) : fd_(fd), stopping_(stopping) {}
    /// False when the client has gone or the server ends.
    bool send(std::string_view bytes) {
      while (!bytes.empty()) {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      }
      return !stopping_;
    }
    /// Waits until the client hangs up.
    void hang() {
      char byte;
      while (!stopping_ && recv(fd_, &byte, 1, 0) > 0) {
      }
    }
    bool wait_ms(int ms) {
      pollfd p{fd_, POLLRDHUP, 0};
      return poll(&p, 1, ms) == 0 && !stopping_;
    }

   private:
    int fd_;
    const std::atomic<bool>& stopping_;
  };
  /// Answers one request, given as its whole head. False closes the connection.
  using Script = std::function<bool(const std::string& request, Peer& peer)>;

  /// Has a connection to itself, until it returns.
  struct RawScript {
    explicit RawScript(std::function<void(int fd)> s) : serve(std::move(s)) {}
    std::function<void(int fd)> serve;
  };

  explicit PageServer(RawScript script) : PageServer({}, std::move(script.serve)) {}
  explicit PageServer(Script script) : PageServer(std::move(script), {}) {}

  ~PageServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    {
      std::lock_guard lock(mutex_);
      for (int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (auto& thread : threads_) thread.join();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }
  std::vector<std::string> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }

  static std::string ok(std::string_view body, std::string_view headers = "") {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" + std::string(body);
  }

 private:
  PageServer(Script script, std::function<void(int fd)> raw) : script_(std::move(script)), raw_(std::move(raw)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  void accept_all() {
    while (!stopping_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connections_;
      std::lock_guard lock(mutex_);
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    Peer peer(fd, stopping_);
    std::string pending;
    char buffer[4096];
    if (raw_) raw_(fd);
    for (bool keep = !raw_; keep && !stopping_;) {
      auto end = pending.find("\r\n\r\n");
      if (end == std::string::npos) {
        const auto got = recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) break;
        pending.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      std::string request = pending.substr(0, end + 4);
      pending.erase(0, end + 4);
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      keep = script_(request, peer);
    }
    std::lock_guard lock(mutex_);
    open_.remove(fd);
    close(fd);
  }

  Script script_;
  std::function<void(int fd)> raw_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::list<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace pipit
