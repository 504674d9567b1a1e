#include "storage/merge.h"

#include <algorithm>

#include "storage/chunk_reader.h"

namespace pipit {

/// The chunks of a day in one family, from a series on.
class DayMerge::Walk {
 public:
  Walk(const Database& database, Database::Family* family, Partition day, const std::string& from)
      : database_(database), it_(database.iterate(family, false)), day_(day) {
    it_->Seek(slice(from));
  }

  /// Whether it stands at a chunk of the day. Errors: of the database, or internal when a key is damaged.
  Result<bool> valid() {
    if (!it_->Valid()) {
      if (!it_->status().ok()) return database_.error(it_->status(), "read");
      return false;
    }
    if (!parse_chunk_key(view(it_->key()), key_)) return internal_error("the chunks are damaged: a key");
    return key_.partition == day_;
  }
  // REQUIRES: valid() was true.
  SeriesId id() const { return key_.id; }
  TimestampMs start() const { return key_.start; }
  bool late() const { return key_.late != 0; }
  std::string_view key() const { return view(it_->key()); }
  std::string_view chunk() const { return view(it_->value()); }
  void next() { it_->Next(); }
  /// Adds the chunk to `bytes`.
  void count() { bytes_ += it_->value().size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  const Database& database_;
  std::unique_ptr<rocksdb::Iterator> it_;
  Partition day_;
  ChunkKey key_;
  std::size_t bytes_ = 0;
};

std::string DayMerge::key_of(SeriesId id) const {
  std::string key;
  put_chunk_prefix(key, day_, id);
  return key;
}

Result<bool> DayMerge::step() {
  Walk small(database_, database_.chunks(), day_, key_of(next_));
  auto more = small.valid();
  if (!more.ok() || !*more) return more;
  const std::string begin = key_of(small.id());
  Walk merged(database_, database_.merged(), day_, begin);
  tombstones_.emplace(database_);
  auto out = database_.replace(database_.merged());
  if (!out.ok()) return out.error();
  std::size_t bytes = 0;
  SeriesId last = 0;
  while (*more && bytes < step_bytes_) {
    last = small.id();
    if (Status status = copy_until(last, merged, **out); !status.ok()) return status.error();
    times_.clear();
    values_.clear();
    // What was merged before was stored first, and stays where times are equal.
    if (Status status = read_series(last, merged); !status.ok()) return status.error();
    const std::size_t before = small.bytes();
    if (Status status = read_series(last, small); !status.ok()) return status.error();
    bytes += small.bytes() - before;
    if (Status status = put_series(last, **out); !status.ok()) return status.error();
    more = small.valid();
    if (!more.ok()) return more;
  }
  next_ = last + 1;
  std::string end = key_of(next_);
  auto replaced = (*out)->commit(begin, end);
  if (!replaced.ok()) return replaced.error();
  replaced_ = replaced_ || *replaced;
  rocksdb::WriteBatch moved;
  moved.DeleteRange(database_.chunks(), begin, end);
  if (Status status = database_.write(moved, false); !status.ok()) return status.error();
  tombstones_.reset();
  return more;
}

/// Copies merged chunks of series that have no others.
Status DayMerge::copy_until(SeriesId id, Walk& merged, Database::Replacement& out) {
  for (;; merged.next()) {
    auto more = merged.valid();
    if (!more.ok()) return more.error();
    if (!*more || merged.id() >= id) return {};
    if (Status status = out.put(merged.key(), merged.chunk()); !status.ok()) return status;
  }
}

/// Appends the series' samples, each time once.
Status DayMerge::read_series(SeriesId id, Walk& walk) {
  std::vector<std::pair<TimestampMs, std::string>> late;  // after the others: of two with one time the first stays
  for (;; walk.next()) {
    auto more = walk.valid();
    if (!more.ok()) return more.error();
    if (!*more || walk.id() != id) break;
    walk.count();
    if (walk.late()) {
      late.emplace_back(walk.start(), walk.chunk());
      continue;
    }
    Status status = append_chunk(walk.chunk(), walk.start(), kMinTimestamp, times_, values_);
    if (!status.ok()) return status;
  }
  for (const auto& [start, chunk] : late) {
    if (Status status = append_chunk(chunk, start, kMinTimestamp, times_, values_); !status.ok()) return status;
  }
  return {};
}

/// Writes the samples that are not deleted, in as few chunks as their length allows.
Status DayMerge::put_series(SeriesId id, Database::Replacement& out) {
  auto deleted = tombstones_->find(id);
  if (!deleted.ok()) return deleted.error();
  drop_deleted(**deleted, times_, values_);
  if (times_.empty()) return {};
  ++series_;
  samples_ += times_.size();
  const std::size_t pieces = (times_.size() + kMaxMergedSamples - 1) / kMaxMergedSamples;
  const std::size_t most = (times_.size() + pieces - 1) / pieces;
  for (std::size_t at = 0; at < times_.size(); at += most) {
    const std::size_t size = std::min(most, times_.size() - at);
    const std::string chunk =
        encode_merged_chunk(std::span(times_).subspan(at, size), std::span(values_).subspan(at, size), encoder_);
    if (Status status = out.put(chunk_key(id, times_[at]), chunk); !status.ok()) return status;
  }
  return {};
}

Status DayMerge::compact() {
  const std::string begin = key_of(0);
  std::string end;
  put_partition(end, day_ + 1);
  Status status = database_.compact(database_.chunks(), begin, end);
  if (status.ok() && replaced_) status = database_.compact(database_.merged(), begin, end);
  return status;
}

}  // namespace pipit
