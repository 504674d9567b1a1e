#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "model/result.h"

namespace pipit {

/// Where a RocksDB log file can't be read any further.
struct LogDamage {
  std::uint64_t offset = 0;  ///< of the first record that can't be read
  bool goes_on = false;      ///< good records follow: this is no end that a crash has left
};

/// Reads a log file's records without their meaning. Empty when all are good. Errors: unavailable when the file can't
/// be read.
Result<std::optional<LogDamage>> find_log_damage(const std::filesystem::path& file);

}  // namespace pipit
