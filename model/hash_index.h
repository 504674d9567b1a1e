#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace pipit {

/// Finds the places of things that stand in an array elsewhere, by their hashes: eight bytes for each place, side by
/// side, where a node of std::unordered_map costs an allocation and two misses of the cache. Places can't be removed.
class HashIndex {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  /// The place with this hash for which `equal(place)` holds; kNone when there is none.
  template <class Equal>
  std::uint32_t find(std::uint64_t hash, Equal equal) const {
    if (slots_.empty()) return kNone;
    return slots_[look(tag_of(hash), equal)].place;
  }
  /// The same; when there is none, `place` is put there and returned.
  template <class Equal>
  std::uint32_t find_or_put(std::uint64_t hash, std::uint32_t place, Equal equal) {
    if (4 * (size_ + 1) > 3 * slots_.size()) grow();
    Slot& slot = slots_[look(tag_of(hash), equal)];
    if (slot.place == kNone) {
      slot = {tag_of(hash), place};
      ++size_;
    }
    return slot.place;
  }
  std::size_t bytes() const { return slots_.capacity() * sizeof(Slot); }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t place = kNone;
  };

  static std::uint32_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash * 0x9e3779b97f4a7c15ULL >> 32);
  }
  /// The slot that holds it, or the free one where it belongs. REQUIRES: a free slot.
  template <class Equal>
  std::size_t look(std::uint32_t tag, Equal equal) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = tag & mask;
    while (slots_[at].place != kNone && (slots_[at].tag != tag || !equal(slots_[at].place))) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : 2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.place != kNone) slots_[look(slot.tag, [](std::uint32_t) { return false; })] = slot;
    }
  }

  std::vector<Slot> slots_;  ///< a power of two of them, a quarter of which is free
  std::size_t size_ = 0;
};

}  // namespace pipit
