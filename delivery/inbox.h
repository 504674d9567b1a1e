#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "model/labels.h"
#include "rules/alert.h"

namespace pipit {

/// Notices on their way to who decides: of each alert what was said last. Thread-safe; nobody waits here.
class Inbox {
 public:
  struct Limits {
    std::size_t alerts = 0;
    std::size_t bytes = 32 << 20;
  };
  struct Taken {
    bool first = false;       ///< the inbox was empty before
    std::size_t dropped = 0;  ///< for want of room
  };

  explicit Inbox(Limits limits) : limits_(limits) {}

  Taken put(std::vector<AlertNotice> notices);
  /// All that there are, by their labels.
  std::vector<AlertNotice> take();

 private:
  struct Item {
    AlertNotice notice;
    std::size_t bytes = 0;
  };

  const Limits limits_;
  std::mutex mutex_;
  std::map<Labels, Item> items_;
  std::size_t bytes_ = 0;
};

}  // namespace pipit
