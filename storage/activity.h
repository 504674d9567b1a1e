#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "model/result.h"
#include "storage/database.h"
#include "storage/keys.h"
#include "storage/postings.h"

namespace pipit {

/// Reads which series of a metric had samples in which windows (docs/storage.md, "Activity"). It sees the database as
/// it was when the reader was made. Not thread-safe.
///
/// A checkpoint that moves samples to the disk adds their series to the lists. What only the head has is in no window's
/// list yet.
class ActivityReader {
 public:
  explicit ActivityReader(const Database& database) : database_(database), it_(database.iterate(database.index())) {}

  struct MetricStart {
    std::uint32_t metric = 0;
    Window first = 0;  ///< its oldest list's
  };
  /// The first metric that has a list, from this id on. Empty when there is none.
  Result<std::optional<MetricStart>> next_metric(std::uint32_t from);

  /// Calls `visit(window, list as stored)` for the metric's lists from `first` to `last`, in order.
  template <class Visit>
  Status visit(std::uint32_t metric, Window first, Window last, Visit visit) {
    std::uint32_t of;
    Window window;
    for (it_->Seek(slice(activity_key(metric, first))); it_->Valid(); it_->Next()) {
      if (!parse_activity_key(view(it_->key()), of, window) || of != metric || window > last) break;
      if (!visit(window, view(it_->value()))) return damaged();
    }
    if (!it_->status().ok()) return database_.error(it_->status(), "read");
    return {};
  }
  /// Adds the series of these windows to `into`.
  Status unite_windows(std::uint32_t metric, Window first, Window last, PostingRuns& into);

 private:
  static Error damaged();

  const Database& database_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

/// The windows that a range of times touches, of times that can be stored.
struct WindowRange {
  Window first = 0;
  Window last = 0;
  std::uint64_t count() const { return first > last ? 0 : static_cast<std::uint64_t>(last - first + 1); }
};
WindowRange windows_of(TimestampMs min_time, TimestampMs max_time);

}  // namespace pipit
