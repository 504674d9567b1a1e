#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "storage/chunk_sample.h"
#include "storage/store_core.h"

namespace pipit {

/// Reads chunks on disk, series after series in the order of ids, over the partitions that touch a range, in both
/// families of chunks.
///
/// Each partition has an iterator of its own in each family, which walks on while the next series is near. Iterators on
/// `chunks` are made before it is known which days have merged chunks, and those on `merged` after it: what has left
/// `chunks` is seen in `merged`. Not thread-safe.
class ChunkReader {
 public:
  ChunkReader(const StoreCore& core, TimestampMs min_time, TimestampMs max_time)
      : core_(core), min_time_(min_time), max_time_(max_time) {}

  /// When this is set, reading soon fails with `canceled`. May be null.
  void set_canceled(const std::atomic<bool>* canceled) { canceled_ = canceled; }
  /// Looks at the database as it is now, if chunks have left RAM since the last look.
  void refresh(std::uint64_t departures);
  /// What `read` may leave out from now on; null for nothing. It must live as long as it is not replaced.
  void set_extreme(const ExtremeWindows* extreme) { extreme_ = extreme; }
  /// The end of the last chunk that the last `read` put one sample for; kMinTimestamp when there is none. Where another
  /// source has samples up to it, they have to be read again, all of them.
  TimestampMs condensed_until() const { return condensed_until_; }
  /// Appends the series' samples from chunks that touch the range, in order, each time once.
  Status read(SeriesId id, TimeColumn& times, ValueColumn& values);
  /// The newest of these samples that lies in the range. False when there is none. Without `want_value` its value is
  /// any that is no stale marker, unless it is one.
  Result<bool> read_newest(SeriesId id, bool want_value, TimestampMs& time, double& value);
  /// Whether a chunk of the series touches the range.
  Result<bool> has(SeriesId id);
  /// The smallest id that is at least `from`, below `end`, and has a chunk in these partitions (if not always in the
  /// range). Empty when there is none.
  Result<std::optional<SeriesId>> next_id(SeriesId from, SeriesId end);

 private:
  /// More partitions share iterators, which then seek more.
  static constexpr std::size_t kMaxIterators = 32;

  struct Walker {
    std::unique_ptr<rocksdb::Iterator> it;
    std::string target;  ///< it stands at the first key that is not less
    bool placed = false;
  };
  /// A partition in one family.
  struct Source {
    Partition partition;
    Walker* walker;
  };
  /// The newest sample of a series' chunks, which come by their starts. Of chunks that follow each other only the last
  /// one is looked into.
  class Newest {
   public:
    Newest(TimestampMs min_time, TimestampMs max_time, bool want_value, ChunkScratch& scratch)
        : min_time_(min_time), max_time_(max_time), want_value_(want_value), scratch_(scratch) {}

    Status add(std::string_view chunk, TimestampMs start);
    /// Before the sample is asked for.
    Status finish();
    /// kMinTimestamp when there is none.
    TimestampMs time() const { return time_; }
    double value() const { return value_; }

   private:
    TimestampMs min_time_;
    TimestampMs max_time_;
    bool want_value_;
    ChunkScratch& scratch_;
    std::string last_;  ///< the chunk that was not looked into; empty when there is none
    TimestampMs last_start_ = 0;
    TimestampMs last_end_ = 0;
    TimestampMs time_ = kMinTimestamp;
    double value_ = 0;
  };

  void add_sources(const std::vector<Partition>& days, std::vector<Walker>& walkers);
  /// The source's iterator, at the first key that is not less than the series' prefix.
  Result<rocksdb::Iterator*> place(const Source& source, SeriesId id);
  template <class Visit>
  Status visit_chunks(SeriesId id, Visit visit);
  template <class Visit>
  Result<bool> visit_source(const Source& source, SeriesId id, Visit visit);
  Status read_all(SeriesId id, TimeColumn& times, ValueColumn& values);
  Result<bool> condense(std::string_view chunk, TimestampMs start, TimeColumn& times,
                        ValueColumn& values);

  const StoreCore& core_;
  TimestampMs min_time_;
  TimestampMs max_time_;
  const std::atomic<bool>* canceled_ = nullptr;
  bool looked_ = false;
  std::uint64_t departures_ = 0;
  std::vector<Source> sources_;  ///< by partition; in each, `merged` first
  std::vector<Walker> chunk_walkers_;
  std::vector<Walker> merged_walkers_;
  std::string target_;
  ChunkScratch scratch_;
  const ExtremeWindows* extreme_ = nullptr;
  TimestampMs condensed_until_ = kMinTimestamp;
};

/// Appends a decoded chunk to what is there. Samples whose time is there already are dropped: chunks overlap where a
/// crash made a replay write again what was on disk, where samples came late, and while a day is merged.
Status append_chunk(std::string_view chunk, TimestampMs start, TimestampMs min_time, TimeColumn& times,
                    ValueColumn& values);

}  // namespace pipit
