#include "storage/head.h"

#include <algorithm>

#include "storage/chunk.h"

namespace pipit {
namespace {

constexpr std::size_t kSealedOverhead = 88;  // of a map's node and a vector's element
constexpr std::size_t kLateOverhead = 128;   // of a map's node and two blocks

}  // namespace

Head::Slot Head::find(const Hash128& hash) const {
  if (table_.empty()) return kNoSlot;
  for (std::size_t i = place(hash);; i = (i + 1) & (table_.size() - 1)) {
    const Slot slot = table_[i];
    if (slot == kNoSlot) return kNoSlot;
    if (slot != kDeleted && at(slot).hash == hash) return slot;
  }
}

Head::Slot Head::find(SeriesId id) const {
  auto metric = members_.find(metric_of(id));
  return metric == members_.end() ? kNoSlot : metric->second.find(ordinal_of(id));
}

Head::Slot Head::insert(SeriesId id, const Hash128& hash, Epoch epoch) {
  const Slot slot = insert_unlisted(id, epoch);
  members_[metric_of(id)].insert(ordinal_of(id), slot);
  if (!hash.is_zero()) set_hash(slot, hash);
  return slot;
}

Head::Slot Head::insert_unlisted(SeriesId id, Epoch epoch) {
  Slot slot;
  if (free_.empty()) {
    slot = slots_++;
    if (slot % kBlock == 0) blocks_.push_back(std::make_unique<HeadSeries[]>(kBlock));
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  HeadSeries& entry = at(slot);
  entry.id = id;
  entry.generation = next_generation_++;
  if (next_generation_ == 0) next_generation_ = 1;  // a handle is never 0
  entry.epoch = 0;
  entry.touched = epoch;
  entry.last_unknown = false;
  entry.open.remember(kMinTimestamp, 0);
  ++series_;
  entry.hash = {};
  return slot;
}

void Head::list_all() {
  std::unordered_map<std::uint32_t, std::vector<Member>> metrics;
  for (Slot slot = 0; slot < slots_; ++slot) {
    const SeriesId id = at(slot).id;
    if (id != 0) metrics[metric_of(id)].push_back({ordinal_of(id), slot});
  }
  members_.clear();
  for (auto& [metric, members] : metrics) members_.emplace(metric, MemberList(std::move(members)));
}

void Head::set_hash(Slot slot, const Hash128& hash) {
  at(slot).hash = hash;
  ++hashed_;
  if (table_.size() < 2 * (table_used_ + 1)) {
    rebuild_table(std::max<std::size_t>(64, table_.size() < 3 * hashed_ ? table_.size() * 2 : table_.size()));
  } else {
    insert_hash(slot);
  }
}

void Head::insert_hash(Slot slot) {
  std::size_t i = place(at(slot).hash);
  while (table_[i] != kNoSlot) i = (i + 1) & (table_.size() - 1);
  table_[i] = slot;
  ++table_used_;
}

void Head::rebuild_table(std::size_t size) {
  table_.assign(size, kNoSlot);
  table_used_ = 0;
  for (Slot slot = 0; slot < slots_; ++slot) {
    if (at(slot).id != 0 && !at(slot).hash.is_zero()) insert_hash(slot);
  }
}

void Head::remove_hash(Slot slot) {
  for (std::size_t i = place(at(slot).hash);; i = (i + 1) & (table_.size() - 1)) {
    if (table_[i] != slot) continue;
    table_[i] = kDeleted;
    --hashed_;
    return;
  }
}

void Head::remove(Slot slot) {
  HeadSeries& entry = at(slot);
  if (!entry.hash.is_zero()) remove_hash(slot);
  auto metric = members_.find(metric_of(entry.id));
  metric->second.remove(ordinal_of(entry.id));
  if (metric->second.empty()) members_.erase(metric);
  entry.id = 0;
  entry.hash = {};
  entry.generation = 0;
  --series_;
  free_.push_back(slot);
}

void Head::append(Slot slot, TimestampMs time, double value, Epoch epoch) {
  HeadSeries& entry = at(slot);
  OpenChunk& open = entry.open;
  ++samples_;
  if (time < partition_begin_ || time - partition_begin_ >= kPartitionMs) {
    partition_begin_ = partition_start(partition_of(time));
  }
  const bool same_partition = open.first_time() >= partition_begin_;
  if (entry.epoch == epoch && same_partition && open.append_repeated(time, value)) return;
  if (!open.empty() && (entry.epoch != epoch || open.full() || !same_partition)) seal(slot);
  const std::size_t before = open.heap_bytes();
  open.append(time, value, tracks_);
  chunk_bytes_ += open.heap_bytes() - before;
  entry.epoch = epoch;
  entry.touched = epoch;
  entry.last_unknown = false;
}

void Head::seal(Slot slot) {
  OpenChunk& open = at(slot).open;
  if (open.empty()) return;
  const std::size_t before = open.heap_bytes();
  SealedChunk chunk{open.first_time(), open.last_time(), open.count(), at(slot).epoch, 0, open.seal()};
  chunk.bytes.shrink_to_fit();
  open.clear();
  chunk_bytes_ += chunk.bytes.size() + kSealedOverhead - before;
  sealed_[slot].push_back(std::move(chunk));
}

const std::vector<SealedChunk>* Head::sealed(Slot slot) const {
  auto found = sealed_.find(slot);
  return found == sealed_.end() ? nullptr : &found->second;
}

void Head::drop_sealed(Slot slot, Epoch before) {
  auto found = sealed_.find(slot);
  if (found == sealed_.end()) return;
  std::erase_if(found->second, [&](const SealedChunk& chunk) {
    if (chunk.epoch >= before) return false;
    samples_ -= chunk.count;
    chunk_bytes_ -= chunk.bytes.size() + kSealedOverhead;
    return true;
  });
  if (found->second.empty()) sealed_.erase(found);
}

LateSamples::Outcome Head::append_late(Slot slot, TimestampMs time, double value, Epoch epoch,
                                       std::uint64_t epoch_begin) {
  seal_late(slot, epoch);
  LateOfEpoch& late = late_[slot];
  if (late.epoch == 0) {
    late.epoch = epoch;
    late.epoch_begin = epoch_begin;
    chunk_bytes_ += kLateOverhead;
  }
  const std::size_t before = late.samples.bytes();
  const auto outcome = late.samples.add(time, value);
  chunk_bytes_ += late.samples.bytes() - before;
  if (outcome == LateSamples::Outcome::stored) ++samples_;
  at(slot).touched = epoch;
  return outcome;
}

const LateSamples* Head::late(Slot slot) const {
  auto found = late_.find(slot);
  return found == late_.end() ? nullptr : &found->second.samples;
}

void Head::seal_late(Slot slot, Epoch before) {
  auto found = late_.find(slot);
  if (found == late_.end() || found->second.epoch >= before) return;
  const LateOfEpoch& late = found->second;
  TimeColumn all_times;
  ValueColumn all_values;
  late.samples.copy_to(kMinTimestamp, kMaxTimestamp, all_times, all_values);
  const std::span<const TimestampMs> times(all_times);
  const std::span<const double> values(all_values);
  auto& sealed = sealed_[slot];
  for (std::size_t begin = 0; begin < times.size();) {  // a chunk a partition
    const Partition partition = partition_of(times[begin]);
    std::size_t end = begin;
    while (end < times.size() && end - begin < OpenChunk::kMaxSamples && partition_of(times[end]) == partition) ++end;
    const std::size_t count = end - begin;
    sealed.push_back({times[begin], times[end - 1], static_cast<std::uint32_t>(count), late.epoch, late.epoch_begin,
                      encode_chunk(times.subspan(begin, count), values.subspan(begin, count))});
    chunk_bytes_ += sealed.back().bytes.size() + kSealedOverhead;
    begin = end;
  }
  chunk_bytes_ -= late.samples.bytes() + kLateOverhead;
  late_.erase(found);
}

std::vector<Head::Member> Head::members(std::uint32_t metric) const {
  auto found = members_.find(metric);
  return found == members_.end() ? std::vector<Member>() : found->second.all();
}

std::vector<Head::Member> Head::members(std::uint32_t metric, std::span<const std::uint32_t> ordinals) const {
  auto found = members_.find(metric);
  return found == members_.end() ? std::vector<Member>() : found->second.of(ordinals);
}

std::uint64_t Head::bytes() const {
  constexpr std::size_t kMapNode = 64;
  return blocks_.size() * kBlock * sizeof(HeadSeries) + table_.size() * sizeof(Slot) + series_ * sizeof(Member) +
         members_.size() * kMapNode + chunk_bytes();
}

}  // namespace pipit
