#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "storage/keys.h"

namespace pipit {

/// A partition that has chunks on disk.
struct StoredDay {
  Partition partition = 0;
  std::uint64_t bytes = 0;  ///< of its chunks, about
};

struct RetentionLimits {
  DurationMs time = 0;      ///< 0 is no limit
  std::uint64_t bytes = 0;  ///< of all files together; 0 is no limit
};

/// The time from which a retention counts back. Not the clock alone: when it jumps ahead, or nothing has been
/// stored for long, the newest samples are kept all the same, as Prometheus does, which counts from its newest block.
inline TimestampMs retention_base(TimestampMs now, TimestampMs newest_sample) {
  return newest_sample == kMinTimestamp ? now : std::min(now, newest_sample);
}

/// Days before the one that is returned have no sample younger than the retention.
inline Partition keep_by_time(const RetentionLimits& limits, TimestampMs base) {
  if (limits.time <= 0) return partition_of(kMinStorableTime);
  const TimestampMs oldest = base < kMinTimestamp + limits.time ? kMinTimestamp : base - limits.time;
  return partition_of(std::clamp(oldest, kMinStorableTime, kMaxStorableTime));
}

/// Days before the one that is returned have to go until all files, which have `total` bytes, fit into the limit.
/// The newest day stays whatever its size. `days` ascend.
inline Partition keep_by_size(const RetentionLimits& limits, std::span<const StoredDay> days, std::uint64_t total) {
  std::size_t first = 0;
  if (limits.bytes != 0) {
    for (; first + 1 < days.size() && total > limits.bytes; ++first) total -= std::min(total, days[first].bytes);
  }
  return days.empty() ? partition_of(kMinStorableTime) : days[first].partition;
}

}  // namespace pipit
