#pragma once

#include <cstdint>
#include <vector>

#include "storage/head.h"

namespace pipit {

/// Where a replay has put its series. A record names a million of them one by one, in the order of scrapes and not of
/// ids, which a hash table takes better than the head's sorted lists. Not thread-safe.
class ReplayIndex {
 public:
  /// Hints to the processor that `id` is needed soon.
  void prefetch(SeriesId id) const {
    if (!entries_.empty()) __builtin_prefetch(&entries_[place(id)]);
  }
  /// The series' slot, to be set when it is kNoSlot. Valid until the next call.
  Head::Slot& slot(SeriesId id) {
    if (entries_.size() < 2 * (used_ + 1)) grow();
    Entry& entry = entries_[find(id)];
    if (entry.slot == Head::kNoSlot) {
      entry.id = id;
      ++used_;
    }
    return entry.slot;
  }

 private:
  struct Entry {
    SeriesId id = 0;
    Head::Slot slot = Head::kNoSlot;
  };

  std::size_t place(SeriesId id) const { return (id * 0x9e3779b97f4a7c15ULL >> 20) & (entries_.size() - 1); }
  std::size_t find(SeriesId id) const {
    std::size_t i = place(id);
    while (entries_[i].slot != Head::kNoSlot && entries_[i].id != id) i = (i + 1) & (entries_.size() - 1);
    return i;
  }
  void grow() {
    std::vector<Entry> old(entries_.empty() ? 1024 : entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.slot != Head::kNoSlot) entries_[find(entry.id)] = entry;
    }
  }

  std::vector<Entry> entries_;  // open addressing, a power of two
  std::size_t used_ = 0;
};

}  // namespace pipit
