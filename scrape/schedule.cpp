#include "scrape/schedule.h"

#include <algorithm>
#include <cstdlib>

namespace pipit {
namespace {

constexpr TimestampUs kMostLateUs = 100'000;
/// Prometheus's --scrape.timestamp-tolerance: 2 ms, and a hundredth of the interval at most.
constexpr TimestampUs kToleranceUs = 2'000;

}  // namespace

TimestampMs Schedule::first_after(TimestampUs now) const {
  const TimestampMs ms = now / 1000;
  const TimestampMs slot = ms - ms % interval_ + offset_;
  if (slot > ms + interval_) return slot - interval_;
  return slot > ms ? slot : slot + interval_;
}

Schedule::Slot Schedule::next(TimestampUs now) {
  const TimestampMs due = slot_ + interval_;
  const TimestampUs late = now - due * 1000;
  Slot slot;
  if (slot_ != 0 && late > -interval_ * 1000 && late <= std::min(kMostLateUs, interval_ * 100)) {
    slot.time = due;
  } else {
    slot.time = first_after(now);
    // The clock may have been set: what lies in the future, or absurdly far back, was not missed.
    constexpr TimestampMs kClockWasSet = 3'600'000;
    if (slot_ != 0 && slot.time > due && slot.time - due <= std::max(kClockWasSet, 100 * interval_)) {
      slot.missed = static_cast<std::uint64_t>((slot.time - due) / interval_);
    }
  }
  slot_ = slot.time;
  return slot;
}

TimestampMs Schedule::timestamp(TimestampUs now) const {
  const TimestampUs tolerance = std::min(kToleranceUs, interval_ * 10);
  return std::abs(now - slot_ * 1000) <= tolerance ? slot_ : now / 1000;
}

}  // namespace pipit
