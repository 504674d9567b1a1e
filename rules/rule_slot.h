#pragma once

#include <cstdint>

#include "model/sample.h"

namespace pipit {

/// What to do with a group whose next evaluation was to be at a slot of its grid.
struct SlotNow {
  TimestampMs slot = 0;      ///< to evaluate, now or after the wait
  DurationMs wait = 0;       ///< until then
  std::uint64_t missed = 0;  ///< slots that have passed before it
};

/// Groups wait by a clock that never jumps; their slots are times of the system's clock, `now`, which does. A slot that
/// is ahead by less than an interval is waited for. One further ahead was left behind by a clock that was set back:
/// evaluation goes on at once, on the same grid. Slots that passed, by a slow evaluation or a clock set forward, are
/// missed but for the last. REQUIRES: interval > 0.
SlotNow slot_now(TimestampMs slot, DurationMs interval, TimestampMs now);

}  // namespace pipit
