#include "tools/request_watch.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace pipit {
namespace {

constexpr auto kLook = std::chrono::milliseconds(100);
constexpr double kQuietSeconds = 1;
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

RequestWatch::RequestWatch(const std::atomic<std::size_t>& received, const std::atomic<bool>& interrupted,
                           std::function<void()> stop)
    : received_(received), interrupted_(interrupted), stop_(std::move(stop)), thread_([this] { run(); }) {}

RequestWatch::~RequestWatch() {
  {
    std::lock_guard lock(mutex_);
    done_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void RequestWatch::run() {
  const auto start = std::chrono::steady_clock::now();
  const bool is_terminal = isatty(STDERR_FILENO) != 0;
  bool shown = false;
  bool stopped = false;
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, kLook, [this] { return done_; })) {
    if (interrupted_ && !stopped) {
      stop_();
      stopped = true;
    }
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (!is_terminal || passed.count() < kQuietSeconds) continue;
    const std::size_t bytes = received_;
    if (bytes == 0) {
      std::fprintf(stderr, "%swaiting for the answer, %.0f s", kClearLine, passed.count());
    } else {
      std::fprintf(stderr, "%sreceived %.1f MB, %.0f s", kClearLine, static_cast<double>(bytes) / 1e6, passed.count());
    }
    shown = true;
  }
  if (shown) std::fputs(kClearLine, stderr);
}

}  // namespace pipit
