#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "storage/head.h"

namespace pipit {

/// Where a replay has put its series. A record names a million of them one by one, in the order of scrapes and not of
/// ids: a hash table of lines, each of neighbours' slots, which targets that come one after the other share. So what a
/// record needs is in the processor's cache from the one before. Not thread-safe.
class ReplayIndex {
 public:
  /// The series' slot, to be set when it is kNoSlot. Valid until the next call.
  Head::Slot& slot(SeriesId id) {
    if (entries_.size() < 2 * (lines_.size() + 1)) grow();
    Entry& entry = entries_[find(id / kLine)];
    if (entry.line == kNoLine) {
      entry = {id / kLine, static_cast<std::uint32_t>(lines_.size())};
      lines_.emplace_back().fill(Head::kNoSlot);
    }
    return lines_[entry.line][id % kLine];
  }

 private:
  static constexpr SeriesId kLine = 16;
  static constexpr std::uint32_t kNoLine = 0xffffffff;

  struct Entry {
    SeriesId first = 0;  // of the line, in lines
    std::uint32_t line = kNoLine;
  };

  std::size_t find(SeriesId first) const {
    std::size_t i = (first * 0x9e3779b97f4a7c15ULL >> 20) & (entries_.size() - 1);
    while (entries_[i].line != kNoLine && entries_[i].first != first) i = (i + 1) & (entries_.size() - 1);
    return i;
  }
  void grow() {
    std::vector<Entry> old(std::max<std::size_t>(1024, entries_.size() * 2));
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.line != kNoLine) entries_[find(entry.first)] = entry;
    }
  }

  std::vector<Entry> entries_;  // open addressing, a power of two
  std::vector<std::array<Head::Slot, kLine>> lines_;
};

}  // namespace pipit
