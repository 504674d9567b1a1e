#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "storage/keys.h"

namespace pipit {

/// A day into which chunks still come, for instance of history that is being loaded, waits this long after the last.
inline constexpr std::chrono::minutes kMergeQuiet{2};

/// Days that have chunks in the family `chunks`, and when the last of them came.
using UnmergedDays = std::map<Partition, std::chrono::steady_clock::time_point>;

/// The oldest day whose chunks can be merged as of `now`, the clock's time: it and the window for late samples are
/// over, it got no chunk since `quiet_since`, and the head has no samples of it or of a day before. `oldest_in_head` is
/// kMaxTimestamp when the head has none.
inline std::optional<Partition> day_to_merge(const UnmergedDays& days, TimestampMs now, DurationMs late_window,
                                             TimestampMs oldest_in_head,
                                             std::chrono::steady_clock::time_point quiet_since) {
  for (const auto& [day, last_chunk] : days) {
    if (partition_start(day + 1) > now - late_window) break;
    const bool more_in_head = oldest_in_head != kMaxTimestamp && partition_of(oldest_in_head) <= day;
    if (last_chunk <= quiet_since && !more_in_head) return day;
  }
  return std::nullopt;
}

/// Whether all that the head has, of which the newest sample is given, is of days that are over: loaded history.
/// kMinTimestamp is an empty head.
inline bool is_history(TimestampMs newest_in_head, TimestampMs now) {
  return newest_in_head != kMinTimestamp && partition_start(partition_of(newest_in_head) + 1) <= now;
}

/// Notices that nothing is appended any more.
class QuietTime {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether the number of the newest record has been the same for kMergeQuiet. REQUIRES: `now` never goes back.
  bool reached(std::uint64_t newest_record, Clock::time_point now) {
    if (newest_record != newest_record_ || !seen_) {
      seen_ = true;
      newest_record_ = newest_record;
      since_ = now;
    }
    return now - since_ >= kMergeQuiet;
  }

 private:
  bool seen_ = false;
  std::uint64_t newest_record_ = 0;
  Clock::time_point since_{};
};

}  // namespace pipit
