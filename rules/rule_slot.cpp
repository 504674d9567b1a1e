#include "rules/rule_slot.h"

namespace pipit {

SlotNow slot_now(TimestampMs slot, DurationMs interval, TimestampMs now) {
  if (slot - now >= interval) return {slot - (slot - now + interval - 1) / interval * interval, 0, 0};
  if (slot > now) return {slot, slot - now, 0};
  const auto missed = (now - slot) / interval;
  return {slot + missed * interval, 0, static_cast<std::uint64_t>(missed)};
}

}  // namespace pipit
