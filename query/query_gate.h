#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "model/result.h"

namespace pipit {

/// Lets so many queries run at a time; the others wait. Thread-safe.
class QueryGate {
 public:
  using Clock = std::chrono::steady_clock;

  explicit QueryGate(unsigned places) : free_(places) {}

  /// A query's place, which is another's when this ends. Must not outlive the gate.
  class Place {
   public:
    explicit Place(QueryGate& gate) : gate_(&gate) {}
    Place(Place&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (gate_ != nullptr) gate_->leave();
    }

   private:
    QueryGate* gate_;
  };

  /// Waits for a place. Errors: timeout at the deadline, canceled when `canceled` (may be null) is set meanwhile.
  Result<Place> enter(Clock::time_point deadline, const std::atomic<bool>* canceled);

 private:
  void leave();

  std::mutex mutex_;
  std::condition_variable freed_;
  unsigned free_;
};

}  // namespace pipit
