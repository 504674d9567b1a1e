// Drops whole partitions, and then the series that had samples nowhere else.

#include <algorithm>
#include <array>

#include "storage/activity.h"
#include "storage/store_core.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// Series that leave the index under one hold of the commit lock.
constexpr std::size_t kSeriesAtOnce = 512;
/// Ordinals that are compared at once: bounds the memory for a metric's lists.
constexpr std::uint64_t kOrdinalsAtOnce = 1 << 20;

/// Names that a metric's pages may have used for it in `# HELP` and `# TYPE`.
constexpr std::array<std::string_view, 7> kSuffixes = {"", "_bucket", "_sum", "_count", "_total", "_info", "_created"};

}  // namespace

Status StoreCore::apply_retention(TimestampMs now) {
  const RetentionLimits limits{options_.retention, options_.retention_bytes};
  std::lock_guard checkpoint_lock(checkpoint_mutex_);
  if (Status status = can_read(); !status.ok()) return status;
  if (limits.time > 0) {
    TimestampMs newest;
    {
      std::lock_guard head_lock(head_mutex_);
      newest = stored_.max;
    }
    const Partition keep_from = keep_by_time(limits, retention_base(now, newest));
    // What the limit of time has dropped can't come back; days that were dropped for their size can, with late samples.
    if (!dropped_before_ || *dropped_before_ < keep_from) {
      if (Status status = drop_before(keep_from); !status.ok()) return status;
      dropped_before_ = keep_from;
    }
  }
  return limits.bytes == 0 ? Status() : drop_by_size(limits);
}

/// Whole days leave, oldest first, until all files fit.
Status StoreCore::drop_by_size(const RetentionLimits& limits) {
  const std::uint64_t total = database_->total_bytes();
  if (total <= limits.bytes) return {};
  std::vector<StoredDay> days;
  for (const Partition day : partitions(kMinStorableTime, kMaxStorableTime)) {
    std::string begin;
    std::string end;
    put_partition(begin, day);
    put_partition(end, day + 1);
    days.push_back({day, 0});
    for (auto* family : database_->chunk_families()) days.back().bytes += database_->range_bytes(family, begin, end);
  }
  const Partition keep_from = keep_by_size(limits, days, total);
  if (days.empty() || keep_from == days.front().partition) return {};
  size_retentions_.add();
  return drop_before(keep_from);
}

/// Forgets the days before `keep_from`: first the series that have samples in no other, then the days' lists, then
/// the chunks. A run that ends early is made up for by the next one. REQUIRES: checkpoint_mutex_.
Status StoreCore::drop_before(Partition keep_from) {
  if (Status status = drop_orphans(keep_from); !status.ok()) return status;
  std::size_t expired;
  {
    std::lock_guard head_lock(head_mutex_);
    expired = static_cast<std::size_t>(std::distance(partitions_.begin(), partitions_.lower_bound(keep_from)));
  }
  if (expired != 0) {
    std::string end;
    put_partition(end, keep_from);
    for (auto* family : database_->chunk_families()) {
      if (Status status = database_->drop_before(family, end); !status.ok()) return status;
    }
    if (Status status = expire_tombstones(partition_start(keep_from)); !status.ok()) return status;
    std::lock_guard commit_lock(commit_mutex_);
    std::lock_guard head_lock(head_mutex_);
    partitions_.erase(partitions_.begin(), partitions_.lower_bound(keep_from));
    merged_.erase(merged_.begin(), merged_.lower_bound(keep_from));
    unmerged_.erase(unmerged_.begin(), unmerged_.lower_bound(keep_from));
    stored_.min = std::max(stored_.min, partition_start(keep_from));
    log_info("dropped days beyond retention", {{"days", expired}});
  }
  return {};
}

Status StoreCore::drop_orphans(Partition keep_from) {
  ActivityReader metrics(*database_);
  for (std::uint64_t from = 0; from <= 0xffffffff;) {
    auto next = metrics.next_metric(static_cast<std::uint32_t>(from));
    if (!next.ok()) return next.error();
    if (!*next) break;
    const auto [metric, first] = **next;
    if (Status status = drop_orphans_of(metric, first, keep_from); !status.ok()) return status;
    from = std::uint64_t{metric} + 1;
  }
  return {};
}

/// Orphans are in no list of a day that stays: they are in one of a day that goes, or were made and got no sample.
Status StoreCore::drop_orphans_of(std::uint32_t metric, Window first, Partition keep_from) {
  const Window keep = first_window_of(keep_from);
  ActivityReader lists(*database_);
  rocksdb::WriteBatch batch;
  std::uint64_t end = 0;
  const auto look = [&](Window window, std::string_view list) {
    if (window != kNoWindow) batch.Delete(database_->index(), activity_key(metric, window));
    return visit_runs(list, [&](std::uint32_t, std::uint32_t last) { end = std::max(end, std::uint64_t{last} + 1); });
  };
  Status status;
  if (first < keep) status = lists.visit(metric, first, keep - 1, look);
  if (status.ok()) status = lists.visit(metric, kNoWindow, kNoWindow, look);
  for (std::uint64_t begin = 0; status.ok() && begin < end; begin += kOrdinalsAtOnce) {
    const PostingRun range{static_cast<std::uint32_t>(begin),
                           static_cast<std::uint32_t>(std::min(begin + kOrdinalsAtOnce, end) - 1)};
    PostingRuns orphans;
    PostingRuns alive;
    status = lists.visit(metric, first, kNoWindow, [&](Window window, std::string_view list) {
      return unite_stored(window < keep || window == kNoWindow ? orphans : alive, list, range);
    });
    subtract(orphans, alive);
    if (status.ok()) status = remove_series(metric, orphans);
  }
  index_->forget_activity(metric);
  if (!status.ok() || batch.Count() == 0) return status;
  return database_->write(batch);
}

Status StoreCore::remove_series(std::uint32_t metric, const PostingRuns& orphans) {
  std::vector<SeriesId> ids;
  for (const PostingRun& run : orphans) {
    for (std::uint64_t ordinal = run.first; ordinal <= run.last; ++ordinal) {
      ids.push_back(make_series_id(metric, static_cast<std::uint32_t>(ordinal)));
      if (ids.size() < kSeriesAtOnce) continue;
      if (Status status = remove_unless_in_head(metric, ids); !status.ok()) return status;
      ids.clear();
    }
  }
  return ids.empty() ? Status() : remove_unless_in_head(metric, ids);
}

/// What the head has stays, and is in no window's list for now.
Status StoreCore::remove_unless_in_head(std::uint32_t metric, std::span<const SeriesId> ids) {
  std::vector<SeriesId> orphans;
  Postings gone;
  Postings spared;
  // Whoever wants to make one of these series anew waits until it is gone altogether.
  std::lock_guard commit_lock(commit_mutex_);
  if (Status status = can_write(); !status.ok()) return status;
  for (const SeriesId id : ids) {
    const bool in_head = head_.find(id) != Head::kNoSlot;
    (in_head ? spared : gone).push_back(ordinal_of(id));
    if (!in_head) orphans.push_back(id);
  }
  auto removed = index_->remove(orphans);
  if (!removed.ok()) return removed.error();
  removed_.add(removed->series);
  if (Status status = forget_metadata(removed->metrics); !status.ok()) return status;
  return removed->metrics.empty() ? index_->change_unlisted(metric, gone, spared) : Status();
}

/// What pages said of metrics without series, unless it is about a metric that still has some. REQUIRES: commit_mutex_.
Status StoreCore::forget_metadata(std::span<const std::string> metrics) {
  rocksdb::WriteBatch batch;
  for (const std::string& metric : metrics) {
    for (const std::string_view suffix : kSuffixes) {
      if (!metric.ends_with(suffix) || metric.size() == suffix.size()) continue;
      const std::string family = metric.substr(0, metric.size() - suffix.size());
      bool lives = false;
      for (const std::string_view part : kSuffixes) {
        auto known = index_->has_metric(family + std::string(part));
        if (!known.ok()) return known.error();
        lives = lives || *known;
      }
      if (lives) continue;
      batch.Delete(database_->metadata(), slice(family));
      metadata_seen_.erase(hash_bytes(family, {}).low);
    }
  }
  return batch.Count() == 0 ? Status() : database_->write(batch);
}

}  // namespace pipit
