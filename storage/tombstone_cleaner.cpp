#include "storage/tombstone_cleaner.h"

#include <algorithm>

#include "storage/chunk.h"
#include "storage/chunk_reader.h"
#include "storage/open_chunk.h"

namespace pipit {
namespace {

bool hits(const DeletedIntervals& intervals, Partition day) {
  const TimestampMs start = partition_start(day);
  return std::any_of(intervals.begin(), intervals.end(), [&](const DeletedInterval& interval) {
    return interval.from < start + kPartitionMs && interval.to >= start;
  });
}

}  // namespace

Status TombstoneCleaner::rewrite(std::span<const Partition> days) {
  for (SeriesId id = 0;;) {
    auto next = tombstones_.next(id + 1);
    if (!next.ok()) return next.error();
    id = *next;
    if (id == 0) break;
    auto intervals = tombstones_.find(id);
    if (!intervals.ok()) return intervals.error();
    for (const Partition day : days) {
      if (!hits(**intervals, day)) continue;
      for (auto* family : database_.chunk_families()) {
        if (Status status = rewrite_series(family, day, id, **intervals); !status.ok()) return status;
      }
    }
  }
  for (auto* family : database_.chunk_families()) {
    if (Status status = database_.flush(family); !status.ok()) return status;
  }
  return {};
}

/// What is left of a series' day, if any of it is deleted, takes the place of all its chunks in one batch.
Status TombstoneCleaner::rewrite_series(Database::Family* family, Partition day, SeriesId id,
                                        const DeletedIntervals& intervals) {
  std::string prefix;
  put_chunk_prefix(prefix, day, id);
  times_.clear();
  values_.clear();
  rocksdb::WriteBatch batch;
  std::vector<std::pair<TimestampMs, std::string>> late;  // after the others: of two with one time the first stays
  auto it = database_.iterate(family, false);
  for (it->Seek(slice(prefix)); it->Valid() && view(it->key()).starts_with(prefix); it->Next()) {
    ChunkKey key;
    if (!parse_chunk_key(view(it->key()), key)) return internal_error("the chunks are damaged: a key");
    batch.Delete(family, it->key());
    if (key.late != 0) {
      late.emplace_back(key.start, view(it->value()));
      continue;
    }
    Status status = append_chunk(view(it->value()), key.start, kMinTimestamp, times_, values_);
    if (!status.ok()) return status;
  }
  if (!it->status().ok()) return database_.error(it->status(), "read");
  for (const auto& [start, chunk] : late) {
    if (Status status = append_chunk(chunk, start, kMinTimestamp, times_, values_); !status.ok()) return status;
  }
  const std::size_t before = times_.size();
  drop_deleted(intervals, times_, values_);
  if (times_.size() == before) return {};
  put_samples(family, id, batch);
  KeyRange& range = rewritten_.try_emplace({family, day}, KeyRange{prefix, {}}).first->second;
  range.end = prefix_end(prefix);  // ids ascend
  return database_.write(batch, false);
}

/// As the family's chunks are encoded.
void TombstoneCleaner::put_samples(Database::Family* family, SeriesId id, rocksdb::WriteBatch& batch) {
  const bool merged = family == database_.merged();
  const std::size_t most = merged ? kMaxMergedSamples : OpenChunk::kMaxSamples;
  for (std::size_t at = 0; at < times_.size(); at += most) {
    const std::size_t count = std::min(most, times_.size() - at);
    const auto times = std::span(times_).subspan(at, count);
    const auto values = std::span(values_).subspan(at, count);
    batch.Put(family, chunk_key(id, times[0]),
              merged ? encode_merged_chunk(times, values, encoder_) : encode_chunk(times, values));
  }
}

Status TombstoneCleaner::compact() {
  for (const auto& [where, range] : rewritten_) {
    if (Status status = database_.compact(where.first, range.begin, range.end); !status.ok()) return status;
  }
  return {};
}

}  // namespace pipit
