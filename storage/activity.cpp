// Lists of which series had samples when: how checkpoints write them and how they are read.

#include "storage/activity.h"

#include <algorithm>
#include <map>

#include "storage/store_core.h"

namespace pipit {
namespace {

/// Series that are looked at under one hold of the lock.
constexpr std::size_t kSeriesAtOnce = 256;
/// Ordinals below it are taken for good.
constexpr std::uint64_t kSmallEnd = 64 << 10;

}  // namespace

Error ActivityReader::damaged() { return internal_error("the index is damaged: a list of active series"); }

Result<std::optional<ActivityReader::MetricStart>> ActivityReader::next_metric(std::uint32_t from) {
  it_->Seek(slice(metric_key(kIndexActivity, from)));
  if (!it_->status().ok()) return database_.error(it_->status(), "read");
  if (!it_->Valid() || it_->key()[0] != kIndexActivity) return std::optional<MetricStart>();
  MetricStart start;
  if (!parse_activity_key(view(it_->key()), start.metric, start.first)) return damaged();
  return std::optional(start);
}

Status ActivityReader::unite_windows(std::uint32_t metric, Window first, Window last, PostingRuns& into) {
  PostingRuns found;
  Status status = visit(metric, first, last, [&](Window, std::string_view list) { return unite_stored(found, list); });
  if (!status.ok()) return status;
  // Whoever counts these series must not run out of memory for a run that damage has made.
  if (!found.empty() && found.back().last >= kSmallEnd) {
    const std::string key = metric_key(kIndexNextOrdinal, metric);
    it_->Seek(slice(key));
    if (!it_->status().ok()) return database_.error(it_->status(), "read");
    if (!it_->Valid() || view(it_->key()) != key || it_->value().size() != 16) return damaged();
    if (found.back().last >= big_endian64(it_->value().data())) return damaged();
  }
  unite(into, found);
  return {};
}

WindowRange windows_of(TimestampMs min_time, TimestampMs max_time) {
  if (min_time > max_time) return {0, -1};
  return {window_of(std::clamp(min_time, kMinStorableTime, kMaxStorableTime)),
          window_of(std::clamp(max_time, kMinStorableTime, kMaxStorableTime))};
}

/// What the chunks of epochs before `before` touch is durable when this returns: before the first of those chunks
/// can be, so that no crash leaves a chunk that its list doesn't know. REQUIRES: checkpoint_mutex_.
Status StoreCore::write_activity(Epoch before) {
  for (const std::uint32_t metric : head_metrics()) {
    std::map<Window, PostingRuns> windows;
    const std::vector<Head::Member> members = head_members(metric);
    for (std::size_t begin = 0; begin < members.size(); begin += kSeriesAtOnce) {
      const std::size_t end = std::min(members.size(), begin + kSeriesAtOnce);
      std::lock_guard head_lock(head_mutex_);
      for (std::size_t i = begin; i < end; ++i) {
        const std::uint32_t ordinal = members[i].ordinal;
        visit_head_ranges(members[i].slot, before, [&](TimestampMs from, TimestampMs to) {
          for (Window w = window_of(from); w <= window_of(to); ++w) add_number(windows[w], ordinal);
        });
      }
    }
    if (Status status = index_->add_activity(metric, windows); !status.ok()) return status;
  }
  return database_->sync_log();
}

/// Calls `visit(first time, last time)` for the series' chunks of epochs before `before`. REQUIRES: head_mutex_.
template <class Visit>
void StoreCore::visit_head_ranges(Head::Slot slot, Epoch before, Visit visit) const {
  if (const auto* sealed = head_.sealed(slot)) {
    for (const SealedChunk& chunk : *sealed) {
      if (chunk.epoch < before) visit(chunk.start, chunk.end);
    }
  }
  // Of either epoch: a window more does no harm.
  if (const LateSamples* late = head_.late(slot)) {
    TimestampMs before_this = kMaxTimestamp;
    late->visit_times([&](TimestampMs time) {
      if (before_this == kMaxTimestamp || window_of(time) != window_of(before_this)) visit(time, time);
      before_this = time;
    });
  }
  const HeadSeries& entry = head_.at(slot);
  if (entry.epoch < before && !entry.open.empty()) visit(entry.open.first_time(), entry.open.last_time());
}

}  // namespace pipit
