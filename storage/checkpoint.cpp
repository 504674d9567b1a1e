// Moves the head's chunks to the database. docs/storage.md argues why no crash can lose or double a sample.

#include <algorithm>

#include "storage/store_core.h"

namespace pipit {
namespace {

/// Series that a checkpoint takes under one hold of the locks: their chunks are closed meanwhile.
constexpr std::size_t kSeriesAtOnce = 64;
/// A series without samples for this long leaves the head with the next checkpoint.
constexpr std::chrono::minutes kIdle{60};

std::string encode_range(TimestampMs min, TimestampMs max) {
  std::string bytes;
  put_fixed64(bytes, static_cast<std::uint64_t>(min));
  put_fixed64(bytes, static_cast<std::uint64_t>(max));
  return bytes;
}

}  // namespace

Status StoreCore::checkpoint() {
  std::lock_guard checkpoint_lock(checkpoint_mutex_);
  return checkpoint_now();
}

/// REQUIRES: checkpoint_mutex_.
Status StoreCore::checkpoint_now() {
  if (Status status = can_read(); !status.ok()) return status;
  const auto start = Clock::now();
  Status status;
  if (cut_pending_) status = move_head_to_disk();
  if (status.ok()) status = begin_checkpoint();
  if (status.ok()) status = move_head_to_disk();
  if (status.ok() && log_incomplete_) status = database_->drop_image();
  if (!status.ok()) {
    checkpoint_failures_.add();
    return status;
  }
  log_incomplete_ = false;
  last_checkpoint_ = Clock::now();
  checkpoints_.add();
  checkpoint_seconds_.set(std::chrono::duration<double>(Clock::now() - start).count());
  return {};
}

/// The cut: what is in the log before it is in chunks when the checkpoint ends, and nothing else is.
Status StoreCore::begin_checkpoint() {
  std::lock_guard commit_lock(commit_mutex_);
  if (Status status = can_read(); !status.ok()) return status;
  if (Status status = index_->write_pending(); !status.ok()) return status;
  {
    std::lock_guard head_lock(head_mutex_);
    stored_.add(recent_);
    recent_ = {};
  }
  // Durable before any chunk: a series that returns asks the disk for its last sample only within this range.
  rocksdb::WriteBatch batch;
  batch.Put(database_->state(), slice(kStateRange), encode_range(stored_.min, stored_.max));
  if (Status status = database_->switch_log(batch); !status.ok()) return status;
  begin_epoch();
  cut_pending_ = true;
  old_log_bytes_ = log_bytes_;
  return occupy_anchor();
}

/// Everything before the cut becomes chunks; then the log before it may go.
Status StoreCore::move_head_to_disk() {
  if (Status status = write_activity(epoch_); !status.ok()) return status;
  if (Status status = write_chunks(epoch_); !status.ok()) return status;
  for (auto* family : database_->checkpointed()) {
    if (Status status = database_->flush(family); !status.ok()) return status;
  }
  if (Status status = database_->flush(database_->anchor(epoch_ - 1)); !status.ok()) return status;
  std::lock_guard commit_lock(commit_mutex_);
  cut_pending_ = false;
  log_bytes_ -= std::exchange(old_log_bytes_, 0);
  return {};
}

/// Records from here on need none of those before. REQUIRES: commit_mutex_.
void StoreCore::begin_epoch() {
  ++epoch_;
  epoch_begin_ = sequence_ + 1;
  epoch_starts_.emplace_back(epoch_, Clock::now());
  lists_.clear();
  next_list_ = 1;
}

Epoch StoreCore::oldest_live_epoch() const {
  Epoch oldest = 0;
  for (const auto& [epoch, start] : epoch_starts_) {
    if (start + kIdle <= Clock::now()) oldest = epoch;
  }
  return oldest;
}

Status StoreCore::write_chunks(Epoch before) {
  std::vector<std::uint32_t> metrics;
  Epoch live_from;
  {
    std::lock_guard commit_lock(commit_mutex_);
    live_from = oldest_live_epoch();
    while (epoch_starts_.size() > 1 && epoch_starts_[0].first < live_from) epoch_starts_.pop_front();
    for (const auto& [metric, members] : head_.metrics()) metrics.push_back(metric);
  }
  std::sort(metrics.begin(), metrics.end());
  for (const std::uint32_t metric : metrics) {
    const std::vector<Head::Member> members = head_members(metric);
    const std::span<const Head::Member> all(members);
    for (std::size_t at = 0; at < all.size(); at += kSeriesAtOnce) {
      const auto some = all.subspan(at, std::min(kSeriesAtOnce, all.size() - at));
      if (Status status = write_members(metric, some, before, live_from); !status.ok()) return status;
    }
  }
  return {};
}

Status StoreCore::write_members(std::uint32_t metric, std::span<const Head::Member> members, Epoch before,
                                Epoch live_from) {
  rocksdb::WriteBatch batch;
  const auto now = Clock::now();
  {
    std::lock_guard commit_lock(commit_mutex_);
    std::lock_guard head_lock(head_mutex_);
    for (const auto& [ordinal, slot] : members) {
      if (head_.at(slot).epoch < before) head_.seal(slot);
      head_.seal_late(slot, before);
      const auto* chunks = head_.sealed(slot);
      if (chunks == nullptr) continue;
      for (const SealedChunk& chunk : *chunks) {
        if (chunk.epoch >= before) continue;
        const Partition partition = partition_of(chunk.start);
        partitions_.insert(partition);
        unmerged_[partition] = now;
        const SeriesId id = make_series_id(metric, ordinal);
        batch.Put(database_->chunks(), chunk_key(id, chunk.start, chunk.late), chunk.bytes);
      }
    }
  }
  if (batch.Count() != 0) {
    if (Status status = database_->write(batch, false); !status.ok()) return status;
  }
  std::lock_guard commit_lock(commit_mutex_);
  std::lock_guard head_lock(head_mutex_);
  ++departures_;
  for (const auto& [ordinal, slot] : members) {
    head_.drop_sealed(slot, before);
    if (head_.at(slot).touched < live_from && !head_.has_samples(slot)) head_.remove(slot);
  }
  return {};
}

}  // namespace pipit
