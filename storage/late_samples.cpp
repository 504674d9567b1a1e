#include "storage/late_samples.h"

#include <algorithm>
#include <bit>

namespace pipit {

LateSamples::Outcome LateSamples::add(TimestampMs time, double value) {
  const Entry entry{time, value};
  const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), time,
                                      [](TimestampMs t, const Block& block) { return t < block.front().time; });
  if (after == blocks_.begin()) {
    insert(0, 0, entry);
    return Outcome::stored;
  }
  const auto block = std::prev(after);
  const auto at =
      std::lower_bound(block->begin(), block->end(), time, [](const Entry& e, TimestampMs t) { return e.time < t; });
  if (at != block->end() && at->time == time) {
    const bool same = std::bit_cast<std::uint64_t>(at->value) == std::bit_cast<std::uint64_t>(value);
    return same ? Outcome::repeated : Outcome::duplicate;
  }
  const auto index = static_cast<std::size_t>(block - blocks_.begin());
  // Behind a full block: better before the next one than in the middle of a division.
  if (at == block->end() && block->size() == kBlock) {
    insert(index + 1, 0, entry);
  } else {
    insert(index, static_cast<std::size_t>(at - block->begin()), entry);
  }
  return Outcome::stored;
}

/// Into the block with this number at this place, or into a new block before it when it is full there or not there.
void LateSamples::insert(std::size_t block, std::size_t at, Entry entry) {
  const auto position = blocks_.begin() + static_cast<std::ptrdiff_t>(block);
  if (block == blocks_.size() || (at == 0 && blocks_[block].size() == kBlock)) {
    blocks_.insert(position, Block{entry});
    block_bytes_ += blocks_[block].capacity() * sizeof(Entry);
    return;
  }
  if (blocks_[block].size() == kBlock) {
    Block& full = blocks_[block];
    Block upper(full.begin() + kBlock / 2, full.end());
    full.resize(kBlock / 2);
    block_bytes_ += upper.capacity() * sizeof(Entry);
    blocks_.insert(position + 1, std::move(upper));
    if (at > kBlock / 2) {
      ++block;
      at -= kBlock / 2;
    }
  }
  Block& into = blocks_[block];
  const std::size_t before = into.capacity();
  into.insert(into.begin() + static_cast<std::ptrdiff_t>(at), entry);
  block_bytes_ += (into.capacity() - before) * sizeof(Entry);
}

void LateSamples::copy_to(TimestampMs min_time, TimestampMs max_time, TimeColumn& times,
                          ValueColumn& values) const {
  for (const Block& block : blocks_) {
    if (block.back().time < min_time) continue;
    if (block.front().time > max_time) return;
    for (const Entry& entry : block) {
      if (entry.time < min_time || entry.time > max_time) continue;
      times.push_back(entry.time);
      values.push_back(entry.value);
    }
  }
}

}  // namespace pipit
