#include "query/query_gate.h"

#include <algorithm>

namespace pipit {

Result<QueryGate::Place> QueryGate::enter(Clock::time_point deadline, const std::atomic<bool>* canceled) {
  // Nobody wakes a waiting query when its flag is set, so it looks from time to time.
  constexpr auto kLookEvery = std::chrono::milliseconds(50);
  std::unique_lock lock(mutex_);
  while (free_ == 0) {
    if (canceled != nullptr && canceled->load(std::memory_order_relaxed)) {
      return Error{ErrorKind::canceled, "query was canceled in query queue"};
    }
    auto now = Clock::now();
    if (now >= deadline) return Error{ErrorKind::timeout, "query timed out in query queue"};
    freed_.wait_until(lock, std::min(deadline, now + kLookEvery));
  }
  --free_;
  return Place(*this);
}

void QueryGate::leave() {
  {
    std::lock_guard lock(mutex_);
    ++free_;
  }
  freed_.notify_one();
}

}  // namespace pipit
