#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

namespace pipit {

/// Watches a request while it runs: tells on a terminal's standard error how long it takes and how much has come, once
/// that is more than a second, and ends the request when `interrupted` becomes true. The line is gone afterwards.
class RequestWatch {
 public:
  /// All must live as long as the watch. `stop` is called from another thread, once.
  RequestWatch(const std::atomic<std::size_t>& received, const std::atomic<bool>& interrupted,
               std::function<void()> stop);
  ~RequestWatch();

 private:
  void run();

  const std::atomic<std::size_t>& received_;
  const std::atomic<bool>& interrupted_;
  std::function<void()> stop_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace pipit
