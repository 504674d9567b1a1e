// Drops whole partitions, and then the series that had samples nowhere else.

#include <algorithm>

#include "storage/store_core.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::size_t kSeriesAtOnce = 256;

}  // namespace

Status StoreCore::apply_retention(TimestampMs now) {
  if (options_.retention <= 0) return {};
  std::lock_guard checkpoint_lock(checkpoint_mutex_);
  if (Status status = can_read(); !status.ok()) return status;
  const TimestampMs oldest = std::clamp(now - options_.retention, kMinStorableTime, kMaxStorableTime);
  const Partition keep_from = partition_of(oldest);
  std::size_t expired;
  {
    std::lock_guard head_lock(head_mutex_);
    expired = static_cast<std::size_t>(std::distance(partitions_.begin(), partitions_.lower_bound(keep_from)));
  }
  if (expired == 0) return {};
  if (Status status = drop_orphans(keep_from); !status.ok()) return status;
  std::string end;
  put_partition(end, keep_from);
  if (Status status = database_->drop_before(database_->chunks(), end); !status.ok()) return status;
  {
    std::lock_guard commit_lock(commit_mutex_);
    std::lock_guard head_lock(head_mutex_);
    partitions_.erase(partitions_.begin(), partitions_.lower_bound(keep_from));
    stored_.min = std::max(stored_.min, partition_start(keep_from));
  }
  log_info("dropped days beyond retention", {{"days", expired}});
  return {};
}

Status StoreCore::drop_orphans(Partition expired_before) {
  std::vector<SeriesId> candidates;
  std::vector<SeriesId> orphans;
  auto it = database_->iterate(database_->chunks(), false);
  it->SeekToFirst();
  for (;;) {
    ChunkKey key;
    const bool more = it->Valid() && parse_chunk_key(view(it->key()), key) && key.partition < expired_before;
    if (more) candidates.push_back(key.id);
    if (!more || candidates.size() == kSeriesAtOnce) {
      // Whoever wants to make one of these series anew waits until it is gone altogether.
      std::lock_guard commit_lock(commit_mutex_);
      if (!open_) return {};
      if (Status status = orphans_among(candidates, expired_before, orphans); !status.ok()) return status;
      if (Status status = index_->remove(orphans); !status.ok()) return status;
      candidates.clear();
      orphans.clear();
    }
    if (!more) break;
    std::string next;
    put_chunk_prefix(next, key.partition, key.id);
    it->Seek(slice(prefix_end(next)));
  }
  if (!it->status().ok()) return database_->error(it->status(), "read");
  return {};
}

Status StoreCore::orphans_among(std::span<const SeriesId> candidates, Partition keep_from,
                                std::vector<SeriesId>& orphans) const {
  auto it = database_->iterate(database_->chunks());
  for (const SeriesId id : candidates) {
    bool lives = head_.find(id) != Head::kNoSlot;
    for (auto p = partitions_.lower_bound(keep_from); !lives && p != partitions_.end(); ++p) {
      std::string prefix;
      put_chunk_prefix(prefix, *p, id);
      it->Seek(slice(prefix));
      lives = it->Valid() && view(it->key()).starts_with(prefix);
    }
    if (!lives) orphans.push_back(id);
  }
  if (!it->status().ok()) return database_->error(it->status(), "read");
  return {};
}

}  // namespace pipit
