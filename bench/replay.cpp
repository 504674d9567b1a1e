// Serves recorded exporter pages as many targets, for load tests: far cheaper than what is measured with it.
//
//   replay --targets 200 --pages ../shared/recordings/node.tar.zst --port 19100
//   replay --targets 200 --port 19100 --config > prometheus.yml
//
// Target i answers on /t/i/metrics, or on port + i with --ports, with page (i * 7 + seconds since the start / interval)
// of the recording, so that targets differ and values move. With --hang N the first N take requests and never answer.
// On SIGTERM it prints what it served and its own CPU time; on SIGUSR1 by how much the latest request since the last
// SIGUSR1 came later than the interval after the one before of the same target.

#include <arpa/inet.h>
#include <libdeflate.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "bench/recording.h"

namespace {

struct Options {
  int targets = 200;
  std::string pages;
  int port = 19100;
  double interval = 1;
  std::size_t most_pages = 600;
  bool gzip = false;
  bool ports = false;
  bool config = false;
  int hang = 0;  ///< targets below it take requests and never answer
};

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "replay: %s\n", message.c_str());
  std::exit(1);
}

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    auto value = [&]() -> const char* {
      if (++i >= argc) die(std::string(name) + " needs a value");
      return argv[i];
    };
    if (name == "--targets") {
      options.targets = std::atoi(value());
    } else if (name == "--pages") {
      options.pages = value();
    } else if (name == "--most-pages") {
      options.most_pages = std::strtoul(value(), nullptr, 10);
    } else if (name == "--port") {
      options.port = std::atoi(value());
    } else if (name == "--interval") {
      options.interval = std::atof(value());
    } else if (name == "--gzip") {
      options.gzip = true;
    } else if (name == "--ports") {
      options.ports = true;
    } else if (name == "--hang") {
      options.hang = std::atoi(value());
    } else if (name == "--config") {
      options.config = true;
    } else {
      die("usage: replay --targets N --pages FILE.tar.zst|DIR --port P [--interval SECONDS] [--most-pages N] [--gzip] "
          "[--ports] [--hang N] [--config]");
    }
  }
  if (options.targets < 1 || options.interval <= 0 || options.port < 1)
    die("targets, interval and port must be positive");
  return options;
}

void print_config(const Options& options) {
  std::printf(
      "global:\n  scrape_interval: %gs\n  scrape_timeout: %gs\nscrape_configs:\n  - job_name: replay\n    "
      "static_configs:\n",
      options.interval, options.interval);
  for (int i = 0; i < options.targets; ++i) {
    if (options.ports) {
      std::printf("      - targets: ['127.0.0.1:%d']\n", options.port + i);
    } else {
      std::printf(
          "      - targets: ['127.0.0.1:%d']\n        labels: {__metrics_path__: /t/%d/metrics, instance: 'host-%d'}\n",
          options.port, i, i);
    }
  }
}

/// An answer, whole.
std::string make_answer(const std::string& page, bool gzip) {
  std::string body = page;
  std::string headers = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n";
  if (gzip) {
    auto* compressor = libdeflate_alloc_compressor(6);
    body.resize(libdeflate_gzip_compress_bound(compressor, page.size()));
    body.resize(libdeflate_gzip_compress(compressor, page.data(), page.size(), body.data(), body.size()));
    libdeflate_free_compressor(compressor);
    headers += "Content-Encoding: gzip\r\n";
  }
  return headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct Connection {
  int target = 0;  ///< of its port
  std::string request;
  std::string_view unsent;
};

class Replay {
 public:
  explicit Replay(const Options& options) : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (const std::string& page : pipit::read_recording(options.pages, options.most_pages)) {
      answers_.push_back(make_answer(page, options.gzip));
    }
    if (answers_.empty()) die("no pages in " + options.pages);
    for (int i = 0; i < (options.ports ? options.targets : 1); ++i) listen_on(options.port + i, i);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    signal_ = signalfd(-1, &signals, SFD_CLOEXEC);
    watch(signal_, EPOLLIN, EPOLL_CTL_ADD);
  }

  void run() {
    std::fprintf(stderr, "replay: %zu pages, %d targets on port %d\n", answers_.size(), options_.targets,
                 options_.port);
    epoll_event events[256];
    for (;;) {
      const int n = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < n; ++i) {
        const int fd = events[i].data.fd;
        if (fd == signal_) {
          signalfd_siginfo got{};
          if (read(signal_, &got, sizeof got) != sizeof got || got.ssi_signo != SIGUSR1) return;
          print_delay();
          continue;
        }
        if (auto listener = listeners_.find(fd); listener != listeners_.end()) {
          accept_on(fd, listener->second);
        } else if (auto found = connections_.find(fd); found != connections_.end() && !serve(fd, found->second)) {
          close(fd);
          connections_.erase(found);
        }
      }
    }
  }

  void print_delay() {
    std::printf("replay: latest %.1f ms after its time, of %zu targets\n", std::max(0.0, latest_) * 1e3, asked_.size());
    std::fflush(stdout);
    latest_ = 0;
    asked_.clear();
  }

  void print_usage() const {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    const double cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime) - start_cpu_;
    std::printf("replay: %llu pages served, %.2f CPU seconds, %.1f us a page\n",
                static_cast<unsigned long long>(served_), cpu,
                served_ == 0 ? 0 : cpu * 1e6 / static_cast<double>(served_));
  }

  void forget_startup_cost() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    start_cpu_ = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }

 private:
  void watch(int fd, std::uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void listen_on(int port, int target) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 1024) != 0) {
      die("port " + std::to_string(port) + ": " + std::strerror(errno));
    }
    listeners_[fd] = target;
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }

  void accept_on(int listener, int target) {
    for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_[fd].target = target;
      watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  /// False when the connection is over.
  bool serve(int fd, Connection& connection) {
    if (!connection.unsent.empty()) return send_rest(fd, connection, true);
    char buffer[4096];
    const auto got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    connection.request.append(buffer, static_cast<std::size_t>(got));
    if (!connection.request.ends_with("\r\n\r\n")) return connection.request.size() < 65536;
    int target = connection.target;
    if (!options_.ports && std::sscanf(connection.request.c_str(), "GET /t/%d/", &target) != 1) return false;
    connection.request.clear();
    note_time(target);
    if (target < options_.hang) return true;
    const auto elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const auto page = static_cast<std::size_t>(target) * 7 + static_cast<std::size_t>(elapsed / options_.interval);
    connection.unsent = answers_[page % answers_.size()];
    ++served_;
    return send_rest(fd, connection, false);
  }

  void note_time(int target) {
    const auto now = std::chrono::steady_clock::now();
    auto [found, is_first] = asked_.try_emplace(target, now);
    if (is_first) return;
    latest_ = std::max(latest_, std::chrono::duration<double>(now - found->second).count() - options_.interval);
    found->second = now;
  }

  bool send_rest(int fd, Connection& connection, bool was_waiting) {
    while (!connection.unsent.empty()) {
      const auto sent = send(fd, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) {
        if (!was_waiting) watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
        return true;
      }
      if (sent <= 0) return false;
      connection.unsent.remove_prefix(static_cast<std::size_t>(sent));
    }
    if (was_waiting) watch(fd, EPOLLIN, EPOLL_CTL_MOD);
    return true;
  }

  const Options& options_;
  int epoll_;
  int signal_ = -1;
  std::vector<std::string> answers_;
  std::unordered_map<int, int> listeners_;
  std::unordered_map<int, Connection> connections_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::unordered_map<int, std::chrono::steady_clock::time_point> asked_;  ///< by target, since the last SIGUSR1
  double latest_ = 0;
  double start_cpu_ = 0;
  unsigned long long served_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  if (options.config) {
    print_config(options);
    return 0;
  }
  Replay replay(options);
  replay.forget_startup_cost();
  replay.run();
  replay.print_usage();
}
