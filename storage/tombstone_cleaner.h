#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/packed_values.h"
#include "storage/tombstones.h"

namespace pipit {

/// Rewrites chunks without the samples that had been deleted when the cleaner was made.
///
/// Not thread-safe; nobody else may write chunks during `rewrite`.
class TombstoneCleaner {
 public:
  explicit TombstoneCleaner(Database& database) : database_(database), tombstones_(database) {}

  /// Of the days that have chunks. It is on the disk when this returns.
  Status rewrite(std::span<const Partition> days);
  /// Frees the space. Others may write chunks meanwhile.
  Status compact();

 private:
  Status rewrite_series(Database::Family* family, Partition day, SeriesId id, const DeletedIntervals& intervals);
  void put_samples(Database::Family* family, SeriesId id, rocksdb::WriteBatch& batch);

  struct KeyRange {
    std::string begin;
    std::string end;
  };

  Database& database_;
  TombstoneReader tombstones_;
  std::map<std::pair<Database::Family*, Partition>, KeyRange> rewritten_;
  TimeColumn times_;
  ValueColumn values_;
  PackedValuesEncoder encoder_;
};

}  // namespace pipit
