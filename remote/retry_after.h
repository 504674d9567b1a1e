#pragma once

#include <string>

#include "model/sample.h"

namespace pipit {

/// How long a `Retry-After` header of now asks to wait: seconds, or a date. 0 when it says nothing.
DurationMs parse_retry_after(const std::string& header, TimestampMs now);

}  // namespace pipit
