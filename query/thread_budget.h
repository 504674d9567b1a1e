#pragma once

#include <atomic>
#include <cstddef>

namespace pipit {

/// How many threads all queries together may have beside their callers' own. Thread-safe.
class ThreadBudget {
 public:
  explicit ThreadBudget(unsigned threads) : free_(threads) {}

  bool take() {
    unsigned free = free_.load();
    while (free != 0) {
      if (free_.compare_exchange_weak(free, free - 1)) return true;
    }
    return false;
  }
  void give_back(std::size_t threads) { free_ += static_cast<unsigned>(threads); }

 private:
  std::atomic<unsigned> free_;
};

}  // namespace pipit
