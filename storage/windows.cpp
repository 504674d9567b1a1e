// Which days have merged chunks, which have others, and when a day is merged (merge.h).

#include <algorithm>

#include "model/duration.h"
#include "storage/merge.h"
#include "storage/merge_due.h"
#include "storage/store_core.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::chrono::minutes kRetryMerge{1};
/// Days that a start finds unmerged don't wait that long, but let it answer first.
constexpr std::chrono::seconds kAfterStart{5};

template <class Days, class Day>
std::vector<Partition> in_range(const Days& days, TimestampMs min_time, TimestampMs max_time, Day day) {
  std::vector<Partition> found;
  if (min_time > max_time) return found;  // all of the range is beyond retention
  const Partition last = partition_of(std::clamp(max_time, kMinStorableTime, kMaxStorableTime));
  auto it = days.lower_bound(partition_of(std::clamp(min_time, kMinStorableTime, kMaxStorableTime)));
  for (; it != days.end() && day(*it) <= last; ++it) found.push_back(day(*it));
  return found;
}

}  // namespace

std::vector<Partition> StoreCore::merged_days(TimestampMs min_time, TimestampMs max_time) const {
  std::lock_guard head_lock(head_mutex_);
  return in_range(merged_, min_time, max_time, [](Partition day) { return day; });
}

std::vector<Partition> StoreCore::unmerged_days(TimestampMs min_time, TimestampMs max_time) const {
  std::lock_guard head_lock(head_mutex_);
  return in_range(unmerged_, min_time, max_time, [](const auto& entry) { return entry.first; });
}

Status StoreCore::load_partitions() {
  for (auto* family : database_->chunk_families()) {
    auto it = database_->iterate(family);
    for (it->SeekToFirst(); it->Valid();) {
      ChunkKey key;
      if (!parse_chunk_key(view(it->key()), key)) {
        return internal_error("the data folder " + options_.path.string() + " is damaged: a chunk's key");
      }
      partitions_.insert(key.partition);
      if (family == database_->merged()) {
        merged_.insert(key.partition);
      } else {
        unmerged_.emplace(key.partition, Clock::now() - kMergeQuiet + kAfterStart);
      }
      std::string next;
      put_partition(next, key.partition + 1);
      it->Seek(slice(next));
    }
    if (!it->status().ok()) return database_->error(it->status(), "read");
  }
  return {};
}

std::optional<Partition> StoreCore::closed_day(TimestampMs now, Clock::time_point quiet_since) const {
  const DurationMs late = std::max<DurationMs>(out_of_order_window_, 0);
  std::lock_guard head_lock(head_mutex_);
  return day_to_merge(unmerged_, now, late, recent_.min, quiet_since);
}

/// False when the day is done.
Result<bool> StoreCore::merge_step(DayMerge& merge) {
  std::lock_guard checkpoint_lock(checkpoint_mutex_);
  if (Status status = can_write(); !status.ok()) return status.error();
  {
    // Before any chunk leaves the other family, so that a reader who misses it there looks here.
    std::lock_guard commit_lock(commit_mutex_);
    std::lock_guard head_lock(head_mutex_);
    merged_.insert(merge.day());
    if (!merge.newest_chunk) merge.newest_chunk = unmerged_[merge.day()];
  }
  const auto start = Clock::now();
  auto more = merge.step();
  merge_seconds_.add(std::chrono::duration<double>(Clock::now() - start).count());
  if (!more.ok()) {
    merge_failures_.add();
  } else if (!*more) {
    std::lock_guard commit_lock(commit_mutex_);
    std::lock_guard head_lock(head_mutex_);
    const auto unmerged = unmerged_.find(merge.day());
    if (unmerged != unmerged_.end() && unmerged->second == merge.newest_chunk) unmerged_.erase(unmerged);
  }
  return more;
}

Status StoreCore::end_merge(DayMerge& merge) {
  if (Status status = merge.compact(); !status.ok()) return status;
  merges_.add();
  merged_samples_.add(merge.samples());
  log_info("merged a day's chunks", {{"series", merge.series()}, {"samples", merge.samples()}});
  return {};
}

Status StoreCore::merge_closed_days(TimestampMs now) {
  while (const auto day = closed_day(now, Clock::now())) {
    DayMerge merge(*database_, *day, options_.merge_step_bytes);
    for (bool more = true; more;) {
      auto step = merge_step(merge);
      if (!step.ok()) return step.error();
      more = *step;
    }
    if (Status status = end_merge(merge); !status.ok()) return status;
  }
  return {};
}

/// Whether nothing is appended any more, and all that the head has is of days that are over.
bool StoreCore::head_is_history(Clock::time_point now) {
  std::lock_guard commit_lock(commit_mutex_);
  return quiet_.reached(sequence_, now) && is_history(recent_.max, now_ms());
}

/// One step of the day that is due, if any: the background thread has other things to do in between.
Status StoreCore::merge_in_background(Clock::time_point now) {
  if (!merging_) {
    if (head_is_history(now) && now - last_attempt_ >= kMergeQuiet) {
      last_attempt_ = now;
      if (Status status = checkpoint(); !status.ok()) return status;
    }
    if (now - last_merge_failure_ < kRetryMerge) return {};
    const auto day = closed_day(now_ms(), now - kMergeQuiet);
    if (!day) return {};
    merging_ = std::make_unique<DayMerge>(*database_, *day, options_.merge_step_bytes);
  }
  auto more = merge_step(*merging_);
  Status status = more.ok() ? Status() : more.error();
  if (more.ok() && *more) return {};
  if (status.ok()) status = end_merge(*merging_);
  if (!status.ok()) last_merge_failure_ = now;
  merging_.reset();
  return status;
}

}  // namespace pipit
