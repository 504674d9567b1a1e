#pragma once

#include <cstdint>
#include <vector>

#include "model/sample_columns.h"
#include "model/sample.h"

namespace pipit {

/// Samples of one series that came out of order, sorted by time, until a checkpoint makes them a chunk of their own.
///
/// They stand in blocks of a few hundred, so that in whatever order they come a sample moves few others. Blocks
/// are full when all come oldest first or all newest first, and at least half full, on average, when they are mixed.
class LateSamples {
 public:
  enum class Outcome { stored, repeated, duplicate };

  /// `repeated` when the time is there with these bits, `duplicate` when it is there with others; neither changes
  /// anything.
  Outcome add(TimestampMs time, double value);
  /// Appends the samples of the range, both ends included, in order of time.
  void copy_to(TimestampMs min_time, TimestampMs max_time, TimeColumn& times,
               ValueColumn& values) const;
  /// Calls `visit(time)` in order.
  template <class Visit>
  void visit_times(Visit visit) const {
    for (const Block& block : blocks_) {
      for (const Entry& entry : block) visit(entry.time);
    }
  }

  // REQUIRES: a sample was added.
  TimestampMs first_time() const { return blocks_.front().front().time; }
  TimestampMs last_time() const { return blocks_.back().back().time; }
  /// Outside of this object.
  std::size_t bytes() const { return block_bytes_ + blocks_.capacity() * sizeof(Block); }

 private:
  struct Entry {
    TimestampMs time;
    double value;
  };
  using Block = std::vector<Entry>;
  static constexpr std::size_t kBlock = 512;

  void insert(std::size_t block, std::size_t at, Entry entry);

  std::vector<Block> blocks_;  ///< none is empty
  std::size_t block_bytes_ = 0;
};

}  // namespace pipit
