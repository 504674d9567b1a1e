#pragma once

#include <cstdint>

#include "model/sample.h"

namespace pipit {

/// Microseconds since the Unix epoch.
using TimestampUs = std::int64_t;

/// When a target is scraped: at every multiple of the interval plus an offset of its own, in wall-clock time, so that
/// a restart keeps the phase.
class Schedule {
 public:
  Schedule() = default;
  /// `hash` decides the offset. REQUIRES: interval > 0.
  Schedule(std::uint64_t hash, DurationMs interval)
      : interval_(interval), offset_(static_cast<DurationMs>(hash % static_cast<std::uint64_t>(interval))) {}

  struct Slot {
    TimestampMs time = 0;
    std::uint64_t missed = 0;  ///< slots between the one before and this one
  };

  /// The slot to wait for at `now`, the one before having ended: it may lie a little in the past, so that a scrape
  /// that takes the whole interval doesn't cost the next one.
  Slot next(TimestampUs now);

  /// The slot that `next` gave last.
  TimestampMs slot() const { return slot_; }

  /// The timestamp of a scrape that starts at `now`: its slot when that is near, as equal distances take less space.
  TimestampMs timestamp(TimestampUs now) const;

 private:
  TimestampMs first_after(TimestampUs now) const;

  DurationMs interval_ = 1;
  DurationMs offset_ = 0;
  TimestampMs slot_ = 0;  ///< 0: none yet
};

}  // namespace pipit
