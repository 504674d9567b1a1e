#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/record_store.h"

namespace pipit {

/// Records in memory, which can refuse to be written.
class MemoryRecords final : public RecordStore {
 public:
  Status write_records(std::span<const Change> changes) override {
    std::lock_guard lock(mutex_);
    if (failing) return Error{ErrorKind::unavailable, "the disk is full"};
    ++writes;
    for (const Change& change : changes) {
      if (change.value) {
        records[change.key] = *change.value;
      } else {
        records.erase(change.key);
      }
    }
    return {};
  }
  Result<std::vector<std::pair<std::string, std::string>>> read_records(std::string_view prefix) const override {
    std::lock_guard lock(mutex_);
    if (failing) return Error{ErrorKind::unavailable, "the disk is gone"};
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& [key, value] : records) {
      if (key.starts_with(prefix)) found.emplace_back(key, value);
    }
    return found;
  }
  std::size_t count(std::string_view prefix) const {
    std::lock_guard lock(mutex_);
    std::size_t n = 0;
    for (const auto& [key, value] : records) n += key.starts_with(prefix) ? 1 : 0;
    return n;
  }

  std::map<std::string, std::string> records;
  int writes = 0;
  std::atomic<bool> failing = false;

 private:
  mutable std::mutex mutex_;
};

}  // namespace pipit
