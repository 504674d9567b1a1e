// Deleting series: tombstones hide samples at once, cleaning takes them from the disk.

#include <algorithm>
#include <utility>

#include "storage/series_cursor.h"
#include "storage/tombstone_cleaner.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::size_t kSeriesAtOnce = 256;
/// Series that leave the index under one hold of the commit lock.
constexpr std::size_t kSeriesUnderLock = 64;

}  // namespace

/// Counts the series that have tombstones.
Status StoreCore::load_tombstones() {
  TombstoneReader tombstones(*database_);
  std::uint64_t count = 0;
  for (SeriesId id = 0;; ++count) {
    auto next = tombstones.next(id + 1);
    if (!next.ok()) return next.error();
    if (*next == 0) break;
    id = *next;
  }
  tombstones_ = count;
  return {};
}

// ---- delete -----------------------------------------------------------------------------------------

Status StoreCore::delete_series(Queryable::MatcherSets sets, TimestampMs min_time, TimestampMs max_time) {
  std::lock_guard checkpoint_lock(checkpoint_mutex_);
  if (Status status = can_write(); !status.ok()) return status;
  for (const std::vector<Matcher>& matchers : sets) {
    auto selections = index_->select(matchers, nullptr);
    if (!selections.ok()) return selections.error();
    if (Status status = bury(std::move(*selections), min_time, max_time); !status.ok()) return status;
  }
  return database_->sync_log();
}

/// A tombstone for each series with samples in the range. It ends at the newest of them, so that what is appended later
/// is not hidden.
Status StoreCore::bury(std::vector<MetricSelection> selections, TimestampMs min_time, TimestampMs max_time) {
  ChunkReader chunks(*this, min_time, max_time);
  SeriesWalk walk(*this, std::move(selections), chunks, min_time, max_time);
  HeadCopy head;
  TimeColumn times;
  ValueColumn values;
  rocksdb::WriteBatch batch;
  std::uint64_t added = 0;
  for (;;) {
    auto more = walk.next();
    if (!more.ok()) return more.error();
    if (!*more || batch.Count() == kSeriesAtOnce) {
      if (Status status = database_->write(batch); !status.ok()) return status;
      tombstones_ += added;
      added = 0;
      batch.Clear();
    }
    if (!*more) return {};
    Status status = read_samples(*this, walk.place(), chunks, min_time, max_time, head, times, values);
    if (!status.ok()) return status;
    const auto first = std::lower_bound(times.begin(), times.end(), min_time);
    const auto end = std::upper_bound(first, times.end(), max_time);
    if (first == end) continue;
    auto grown = add_tombstone(walk.id(), {*first, *std::prev(end)}, batch);
    if (!grown.ok()) return grown.error();
    added += *grown ? 1 : 0;
  }
}

/// True when the series had none before.
Result<bool> StoreCore::add_tombstone(SeriesId id, DeletedInterval interval, rocksdb::WriteBatch& batch) const {
  const std::string key = tombstone_key(id);
  std::string value;
  bool found;
  if (Status status = database_->get(database_->state(), key, value, found); !status.ok()) return status.error();
  DeletedIntervals intervals;
  if (found && !decode_intervals(value, intervals)) return internal_error("a tombstone is damaged");
  add_interval(intervals, interval);
  batch.Put(database_->state(), key, encode_intervals(intervals));
  return !found;
}

// ---- clean ------------------------------------------------------------------------------------------

/// The order makes it safe to be cut short at any moment: chunks without the deleted samples are on the disk before the
/// tombstones go, and the log has none of these samples any more when it begins. Only tombstones from before the
/// checkpoint are dealt with, as only their samples are sure to have left the log.
Status StoreCore::clean_tombstones() {
  if (!has_tombstones()) return {};
  TombstoneReader cleaned(*database_);  // before the cleaner: what it sees has been rewritten
  TombstoneCleaner cleaner(*database_);
  if (Status status = checkpoint(); !status.ok()) return status;
  {
    std::lock_guard checkpoint_lock(checkpoint_mutex_);
    if (Status status = can_write(); !status.ok()) return status;
    Status status = cleaner.rewrite(partitions(kMinStorableTime, kMaxStorableTime));
    if (status.ok()) status = drop_tombstones(cleaned);
    if (!status.ok()) return status;
  }
  log_info("removed deleted samples from the disk");
  return cleaner.compact();
}

/// A tombstone that has been added to meanwhile stays for the next time.
Status StoreCore::drop_tombstones(TombstoneReader& tombstones) {
  std::vector<SeriesId> cleaned;
  rocksdb::WriteBatch batch;
  std::string value;
  for (SeriesId id = 0;;) {
    auto next = tombstones.next(id + 1);
    if (!next.ok()) return next.error();
    id = *next;
    if (id != 0) {
      auto intervals = tombstones.find(id);
      if (!intervals.ok()) return intervals.error();
      bool found;
      Status status = database_->get(database_->state(), tombstone_key(id), value, found);
      if (!status.ok()) return status;
      if (!found || value != encode_intervals(**intervals)) continue;
      batch.Delete(database_->state(), tombstone_key(id));
      cleaned.push_back(id);
    }
    if (cleaned.size() == kSeriesAtOnce || (id == 0 && !cleaned.empty())) {
      // The series first: while it is there, its tombstone may be dropped by the next cleaning.
      if (Status status = forget_empty_series(cleaned); !status.ok()) return status;
      if (Status status = database_->write(batch); !status.ok()) return status;
      tombstones_ -= cleaned.size();
      cleaned.clear();
      batch.Clear();
    }
    if (id == 0) return database_->sync_log();
  }
}

/// Tombstones go with the days that they are about. REQUIRES: checkpoint_mutex_.
Status StoreCore::expire_tombstones(TimestampMs kept_from) {
  if (!has_tombstones()) return {};
  TombstoneReader tombstones(*database_);
  rocksdb::WriteBatch batch;
  std::uint64_t gone = 0;
  for (SeriesId id = 0;;) {
    auto next = tombstones.next(id + 1);
    if (!next.ok()) return next.error();
    id = *next;
    if (id == 0 || batch.Count() == kSeriesAtOnce) {
      if (Status status = database_->write(batch); !status.ok()) return status;
      tombstones_ -= std::exchange(gone, 0);
      batch.Clear();
    }
    if (id == 0) return {};
    auto found = tombstones.find(id);
    if (!found.ok()) return found.error();
    DeletedIntervals left = **found;
    if (std::erase_if(left, [&](const DeletedInterval& i) { return i.to < kept_from; }) == 0) continue;
    if (left.empty()) {
      batch.Delete(database_->state(), tombstone_key(id));
      ++gone;
    } else {
      batch.Put(database_->state(), tombstone_key(id), encode_intervals(left));
    }
  }
}

/// Series without a sample leave the index, and the head. REQUIRES: checkpoint_mutex_, so no chunk comes meanwhile.
Status StoreCore::forget_empty_series(std::span<const SeriesId> ids) {
  auto unstored = without_chunks(ids);
  if (!unstored.ok()) return unstored.error();
  const std::span<const SeriesId> all(*unstored);
  for (std::size_t at = 0; at < all.size(); at += kSeriesUnderLock) {
    const auto some = all.subspan(at, std::min(kSeriesUnderLock, all.size() - at));
    if (Status status = forget_unless_in_head(some); !status.ok()) return status;
  }
  return {};
}

/// Those that have no chunk. Writers go on meanwhile: it is two seeks a series and day.
Result<std::vector<SeriesId>> StoreCore::without_chunks(std::span<const SeriesId> ids) const {
  std::vector<SeriesId> left(ids.begin(), ids.end());
  const std::vector<Partition> days = partitions(kMinStorableTime, kMaxStorableTime);
  for (auto* family : database_->chunk_families()) {
    auto it = database_->iterate(family, false);
    Status status;
    const auto has_chunk = [&](SeriesId id, Partition day) {
      std::string prefix;
      put_chunk_prefix(prefix, day, id);
      it->Seek(slice(prefix));
      // The iterator forgets it with the next seek, and what can't be read is not gone.
      if (!it->status().ok()) status = database_->error(it->status(), "read");
      return it->Valid() && view(it->key()).starts_with(prefix);
    };
    std::erase_if(left, [&](SeriesId id) {
      return status.ok() && std::ranges::any_of(days, [&](Partition day) { return has_chunk(id, day); });
    });
    if (!status.ok()) return status.error();
  }
  return left;
}

Status StoreCore::forget_unless_in_head(std::span<const SeriesId> ids) {
  std::vector<SeriesId> empty;
  // Whoever wants to make one of these series anew waits until it is gone altogether.
  std::lock_guard commit_lock(commit_mutex_);
  for (const SeriesId id : ids) {
    std::lock_guard head_lock(head_mutex_);
    const Head::Slot slot = head_.find(id);
    if (slot != Head::kNoSlot) {
      if (head_.has_samples(slot)) continue;
      head_.remove(slot);
    }
    empty.push_back(id);
  }
  auto removed = index_->remove(empty);
  if (!removed.ok()) return removed.error();
  removed_.add(removed->series);
  return forget_metadata(removed->metrics);
}

}  // namespace pipit
