#pragma once

#include <atomic>
#include <chrono>

namespace pipit {

/// When a query has to end early. Any thread of the query may ask.
class Interrupt {
 public:
  using Clock = std::chrono::steady_clock;

  /// `canceled` may be null.
  Interrupt(Clock::time_point deadline, const std::atomic<bool>* canceled) : deadline_(deadline), canceled_(canceled) {}

  bool is_canceled() const { return canceled_ != nullptr && canceled_->load(std::memory_order_relaxed); }
  bool is_late() const { return Clock::now() > deadline_; }
  bool due() const { return is_canceled() || is_late(); }

 private:
  Clock::time_point deadline_;
  const std::atomic<bool>* canceled_;
};

}  // namespace pipit
