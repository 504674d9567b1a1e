#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/database.h"
#include "storage/keys.h"
#include "storage/packed_values.h"
#include "storage/tombstones.h"

namespace pipit {

/// Makes long chunks in the family `merged` of a day's chunks in the family `chunks`, a range of series at a time.
/// docs/storage.md, "Windows", says why readers see each sample once at any moment, and after any crash.
///
/// Not thread-safe; nobody else may write chunks during a step.
class DayMerge {
 public:
  /// `step_bytes`, of small chunks, bounds how long a step takes: some seconds for 32 MB.
  DayMerge(Database& database, Partition day, std::size_t step_bytes)
      : database_(database), day_(day), step_bytes_(step_bytes) {}

  /// Takes the next series that have chunks, about as many bytes as a step has. False when there are no more. A step
  /// that fails has changed nothing, or only put samples into `merged` that are in `chunks` still.
  Result<bool> step();
  /// Frees the space of what was moved. After the last step; others may write chunks meanwhile.
  Status compact();

  Partition day() const { return day_; }
  /// When the day's newest chunk came, as the merge began: who adds one meanwhile leaves the day to another merge.
  std::optional<std::chrono::steady_clock::time_point> newest_chunk;
  std::uint64_t series() const { return series_; }
  std::uint64_t samples() const { return samples_; }

 private:
  class Walk;

  std::string key_of(SeriesId id) const;
  Status copy_until(SeriesId id, Walk& merged, Database::Replacement& out);
  Status read_series(SeriesId id, Walk& walk);
  Status put_series(SeriesId id, Database::Replacement& out);

  Database& database_;
  Partition day_;
  std::size_t step_bytes_;
  SeriesId next_ = 0;
  bool replaced_ = false;  ///< there were merged chunks in the ranges
  std::uint64_t series_ = 0;
  std::uint64_t samples_ = 0;
  TimeColumn times_;
  ValueColumn values_;
  std::optional<TombstoneReader> tombstones_;
  PackedValuesEncoder encoder_;
};

}  // namespace pipit
