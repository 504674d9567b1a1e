#pragma once

#include <string>
#include <vector>

#include "model/matcher.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

enum class SilenceState { pending, active, expired };
/// "pending", "active", "expired"
std::string_view silence_state_name(SilenceState state);

/// Alerts that all matchers match are not told of in its time.
struct Silence {
  std::string id;  ///< a UUID
  std::vector<Matcher> matchers;
  TimestampMs starts_at = 0;
  TimestampMs ends_at = 0;
  TimestampMs updated_at = 0;
  std::string created_by;
  std::string comment;

  SilenceState state(TimestampMs now) const {
    return now < starts_at ? SilenceState::pending : now < ends_at ? SilenceState::active : SilenceState::expired;
  }
};

}  // namespace pipit
