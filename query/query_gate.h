#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "model/result.h"

namespace pipit {

/// Lets so many queries run at a time; the others wait. Thread-safe.
class QueryGate {
 public:
  using Clock = std::chrono::steady_clock;

  explicit QueryGate(unsigned places) : free_(places) {}

  /// Waits for a place. Errors: timeout at the deadline, canceled when `canceled` (may be null) is set meanwhile.
  Status enter(Clock::time_point deadline, const std::atomic<bool>* canceled);
  /// REQUIRES: an enter() that succeeded.
  void leave();

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  unsigned free_;
};

}  // namespace pipit
