#pragma once

#include <span>

#include "tools/flags.h"

namespace pipit {

/// The flags of `pipit serve`: all of Prometheus 3.14's, hidden ones too, and those of 2.x that unit files still have.
std::span<const FlagSpec> serve_flags();

}  // namespace pipit
