#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/appender.h"
#include "storage/hash.h"
#include "storage/keys.h"
#include "storage/late_samples.h"
#include "storage/member_list.h"
#include "storage/open_chunk.h"

namespace pipit {

/// An epoch is the time between two checkpoints' cuts. A chunk holds samples of one epoch only, so that what a
/// checkpoint writes is exactly what the records before its cut say.
using Epoch = std::uint32_t;

/// One series in RAM. Labels are not here: the database has them.
struct HeadSeries {
  OpenChunk open;
  SeriesId id = 0;
  Hash128 hash;  ///< of the labels; zero until somebody asked for the series by its labels
  std::uint32_t generation = 0;
  Epoch epoch = 0;    ///< of the newest sample; 0 is none
  Epoch touched = 0;  ///< when it came here or got its newest sample
  /// The series came back from the index: what `open` remembers as its last sample may be older than the
  /// newest one on disk.
  bool last_unknown = false;
};

/// A run that is closed but not on disk yet.
struct SealedChunk {
  TimestampMs start = 0;
  TimestampMs end = 0;
  std::uint32_t count = 0;
  Epoch epoch = 0;
  /// 0, or for samples that came out of order the number of the epoch's first write-ahead record. It is part of the
  /// chunk's key: unlike chunks of samples in order, these can have starts that the series has had before.
  std::uint64_t late = 0;
  std::string bytes;
};

/// The series with recent samples. A slab of entries that handles address directly, a hash table by labels, and
/// lists by metric, each a few bytes a series.
///
/// Not thread-safe: its owner guards it. Entries don't move while they live.
class Head {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot kNoSlot = MemberList::kNoSlot;
  using Member = MemberList::Member;

  Slot find(const Hash128& hash) const;
  Slot find(SeriesId id) const;
  /// REQUIRES: neither id nor hash is there. The hash may be zero.
  Slot insert(SeriesId id, const Hash128& hash, Epoch epoch);
  /// The same in two steps, for many series at once: they are not found by id, nor in members(), until `list_all`.
  Slot insert_unlisted(SeriesId id, Epoch epoch);
  void list_all();
  /// REQUIRES: the slot's hash is zero.
  void set_hash(Slot slot, const Hash128& hash);
  /// REQUIRES: no samples in it.
  void remove(Slot slot);

  HeadSeries& at(Slot slot) { return blocks_[slot / kBlock][slot % kBlock]; }
  const HeadSeries& at(Slot slot) const { return blocks_[slot / kBlock][slot % kBlock]; }
  SeriesRef ref(Slot slot) const { return std::uint64_t{at(slot).generation} << 32 | slot; }
  /// kNoSlot when the handle isn't good any more.
  Slot resolve(SeriesRef ref) const {
    const auto slot = static_cast<Slot>(ref);
    return slot < slots_ && at(slot).id != 0 && at(slot).generation == ref >> 32 ? slot : kNoSlot;
  }
  /// Hints to the processor that this place of the table is needed soon.
  void prefetch(const Hash128& hash) const {
    if (!table_.empty()) __builtin_prefetch(&table_[place(hash)]);
  }
  /// Hints to the processor that `ref` is needed soon.
  void prefetch(SeriesRef ref) const {
    const auto slot = static_cast<Slot>(ref);
    if (slot < slots_) prefetch_slot(slot);
  }
  void prefetch_slot(Slot slot) const {
    const auto* entry = reinterpret_cast<const char*>(&at(slot));
    for (std::size_t at = 0; at < sizeof(HeadSeries); at += 64) __builtin_prefetch(entry + at);
    __builtin_prefetch(entry + sizeof(HeadSeries) - 1);  // it may begin anywhere in a line
  }

  /// REQUIRES: time > the series' last time.
  void append(Slot slot, TimestampMs time, double value, Epoch epoch);
  /// Takes a sample that is older than the series' newest.
  LateSamples::Outcome append_late(Slot slot, TimestampMs time, double value, Epoch epoch, std::uint64_t epoch_begin);
  const LateSamples* late(Slot slot) const;
  /// Closes the open chunk, if it has samples; it is then among sealed().
  void seal(Slot slot);
  /// Makes room for a sealed chunk of each series, as a replay of two epochs needs it.
  void expect_sealed() { sealed_.reserve(series_); }
  /// Closes the late samples, if there are any of an epoch before `before`, likewise.
  void seal_late(Slot slot, Epoch before);
  const std::vector<SealedChunk>* sealed(Slot slot) const;
  /// Forgets the sealed chunks of epochs before `before`, which are on disk now.
  void drop_sealed(Slot slot, Epoch before);
  bool has_samples(Slot slot) const { return !at(slot).open.empty() || sealed_.contains(slot) || late_.contains(slot); }

  /// A metric's series, by ordinal.
  std::vector<Member> members(std::uint32_t metric) const;
  /// Those of some of its series, which ascend.
  std::vector<Member> members(std::uint32_t metric, std::span<const std::uint32_t> ordinals) const;
  const std::unordered_map<std::uint32_t, MemberList>& metrics() const { return members_; }
  /// Slots that may hold series; those with id 0 don't.
  Slot slots() const { return slots_; }

  std::uint64_t series() const { return series_; }
  std::uint64_t samples() const { return samples_; }
  /// Of open and sealed chunks.
  std::uint64_t chunk_bytes() const { return chunk_bytes_ + tracks_.bytes(); }
  /// All of the head.
  std::uint64_t bytes() const;

 private:
  static constexpr Slot kBlock = 256;
  static constexpr Slot kDeleted = 0xfffffffe;

  std::size_t place(const Hash128& hash) const { return hash.low & (table_.size() - 1); }
  void insert_hash(Slot slot);
  void remove_hash(Slot slot);
  void rebuild_table(std::size_t size);

  TimeTracks tracks_;
  std::vector<std::unique_ptr<HeadSeries[]>> blocks_;
  std::vector<Slot> free_;
  Slot slots_ = 0;
  std::uint32_t next_generation_ = 1;
  std::vector<Slot> table_;     // open addressing, a power of two
  std::size_t table_used_ = 0;  // deleted ones included
  std::size_t hashed_ = 0;
  std::unordered_map<std::uint32_t, MemberList> members_;
  std::unordered_map<Slot, std::vector<SealedChunk>> sealed_;
  struct LateOfEpoch {
    Epoch epoch = 0;
    std::uint64_t epoch_begin = 0;
    LateSamples samples;
  };
  std::unordered_map<Slot, LateOfEpoch> late_;
  TimestampMs partition_begin_ = 0;  // of the partition that the newest append went to
  std::uint64_t series_ = 0;
  std::uint64_t samples_ = 0;
  std::uint64_t chunk_bytes_ = 0;  // but for the tracks
};

}  // namespace pipit
