#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/sample_columns.h"
#include "model/sample.h"
#include "storage/database.h"
#include "storage/keys.h"

namespace pipit {

/// Deleted time of a series, both ends included.
struct DeletedInterval {
  TimestampMs from = 0;
  TimestampMs to = 0;

  bool operator==(const DeletedInterval&) const = default;
};

/// In order of time, and apart: what touches or overlaps is one interval. Bytes: docs/storage.md, "Deletion".
using DeletedIntervals = std::vector<DeletedInterval>;

void add_interval(DeletedIntervals& intervals, DeletedInterval added);
std::string encode_intervals(const DeletedIntervals& intervals);
/// False when the bytes are damaged.
bool decode_intervals(std::string_view bytes, DeletedIntervals& intervals);

/// Removes the samples that lie in an interval. REQUIRES: times ascend.
void drop_deleted(const DeletedIntervals& intervals, TimeColumn& times, ValueColumn& values);

/// What has been deleted, series after series in the order of ids, as it was when the reader was made.
///
/// A reader of samples makes it before it looks at the first chunk: a tombstone leaves after the chunks without its
/// samples are there to be seen, so that who does not see the one sees the others. Not thread-safe.
class TombstoneReader {
 public:
  explicit TombstoneReader(const Database& database);

  /// The series' intervals, empty for most. They stay until the next call. REQUIRES: no id is smaller than the one
  /// before. Errors: internal when they are damaged.
  Result<const DeletedIntervals*> find(SeriesId id);
  /// The next series that has some, from `id` on; 0 at the end.
  Result<SeriesId> next(SeriesId id);

 private:
  Status place(SeriesId id);

  const Database& database_;
  std::unique_ptr<rocksdb::Iterator> it_;
  bool placed_ = false;
  SeriesId at_ = 0;  // where the iterator stands; 0 behind the last
  DeletedIntervals intervals_;
};

}  // namespace pipit
