#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "storage/commit_listener.h"
#include "storage/database.h"
#include "storage/expiry.h"
#include "storage/head.h"
#include "storage/log_record.h"
#include "storage/merge_due.h"
#include "storage/record_store.h"
#include "storage/replay_index.h"
#include "storage/series_index.h"
#include "storage/store.h"
#include "storage/tombstones.h"
#include "telemetry/metrics.h"

namespace pipit {

class DayMerge;

/// What the store knows of a series without asking the disk, as a reader needs it: copies of the chunks in RAM.
struct HeadCopy {
  struct Piece {
    TimestampMs start = 0;
    std::size_t offset = 0;
    std::size_t size = 0;
  };
  std::vector<Piece> pieces;  ///< none that lies outside of the range; in order of time, then late ones
  std::string bytes;
  /// All samples from this time on are in RAM; kMaxTimestamp when none are.
  TimestampMs complete_from = kMaxTimestamp;
  /// Counts how often chunks left RAM for the disk. An iterator that is older than this number may miss them.
  std::uint64_t departures = 0;
  /// Bounds of all chunks on disk.
  TimestampMs stored_min = kMaxTimestamp;
  TimestampMs stored_max = kMinTimestamp;

  std::string_view piece(std::size_t i) const {
    return std::string_view(bytes).substr(pieces[i].offset, pieces[i].size);
  }
};

/// The store behind `Store`. docs/storage.md has the whole picture; in short, an append is a write-ahead record
/// and then samples in the head, a checkpoint moves the head's chunks to the database, a reader merges both.
///
/// Locks, in the order in which they may be taken: checkpoint_mutex_ (a checkpoint or retention run), commit_mutex_
/// (whoever writes records, creates series or changes the head), head_mutex_ (the head's contents). The head changes
/// only under both of the last two, so either suffices to read it. No lock is held during a query.
class StoreCore {
 public:
  StoreCore(const StoreOptions& options, MetricsRegistry& metrics);
  ~StoreCore();
  StoreCore(const StoreCore&) = delete;

  Status open(const DatabaseOpener& opener);
  Status close();
  Status checkpoint();
  Status apply_retention(TimestampMs now);
  Status merge_closed_days(TimestampMs now);
  Status delete_series(Queryable::MatcherSets sets, TimestampMs min_time, TimestampMs max_time);
  Status clean_tombstones();
  Result<std::string> snapshot(bool skip_head);
  StoreStats stats() const;

  void set_commit_listener(CommitListener* listener);
  void set_out_of_order_window(DurationMs window) { out_of_order_window_ = window; }
  DurationMs out_of_order_window() const { return out_of_order_window_; }

  Result<SeriesRef> series_ref(const Labels& labels);
  void find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const;
  Result<AppendReport> append(const AppendBatch& batch);
  Status set_metadata(std::string_view metric, const Metadata& metadata);
  Result<std::vector<MetricMetadata>> metadata(std::string_view metric, std::size_t limit) const;
  Status store_records(std::span<const RecordStore::Change> changes);
  Result<std::vector<std::pair<std::string, std::string>>> stored_records(std::string_view prefix) const;

  // For readers.
  /// Fails when the store is closed.
  Status can_read() const;
  const Database& database() const { return *database_; }
  const SeriesIndex& index() const { return *index_; }
  /// What retention leaves visible of times from `min_time` on.
  TimestampMs visible_from(TimestampMs min_time) const;
  /// The metric's series in the head, by ordinal.
  std::vector<Head::Member> head_members(std::uint32_t metric) const;
  /// Those of some of its series, which ascend.
  std::vector<Head::Member> head_members(std::uint32_t metric, std::span<const std::uint32_t> ordinals) const;
  /// Metrics with series in the head, ascending.
  std::vector<std::uint32_t> head_metrics() const;
  /// `slot` is where the series was seen, or kNoSlot.
  void copy_head(SeriesId id, Head::Slot slot, TimestampMs min_time, TimestampMs max_time, HeadCopy& copy) const;
  /// The series' newest sample, if the head knows it and it lies in the range. Deletions are not looked at.
  bool newest_in_head(SeriesId id, Head::Slot slot, TimestampMs min_time, TimestampMs max_time, TimestampMs& time,
                      double& value) const;
  /// Whether the head has a sample of the series in the range, judged by its chunks' ends.
  bool head_overlaps(SeriesId id, TimestampMs min_time, TimestampMs max_time) const;
  std::uint64_t departures() const;
  /// The part of a range that chunks on disk may have samples in; empty when first > second.
  std::pair<TimestampMs, TimestampMs> stored_range(TimestampMs min_time, TimestampMs max_time) const;
  /// Whether anything is deleted that is still on disk or in RAM.
  bool has_tombstones() const { return tombstones_ != 0; }
  /// Days that touch the range and may have chunks in the family `merged`, and in `chunks`.
  std::vector<Partition> merged_days(TimestampMs min_time, TimestampMs max_time) const;
  std::vector<Partition> unmerged_days(TimestampMs min_time, TimestampMs max_time) const;
  /// Those that have chunks on disk and touch the range.
  std::vector<Partition> partitions(TimestampMs min_time, TimestampMs max_time) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct TimeRange {
    TimestampMs min = kMaxTimestamp;
    TimestampMs max = kMinTimestamp;
    void add(TimestampMs t) {
      min = std::min(min, t);
      max = std::max(max, t);
    }
    void add(const TimeRange& other) {
      min = std::min(min, other.min);
      max = std::max(max, other.max);
    }
  };

  // open and close (store_core.cpp)
  Status load_state();
  void register_metrics();
  template <class Work>
  void run_background(Work work);
  void sync_if_due(Clock::time_point now);
  void tick(Clock::time_point now);
  Status resume();
  Status occupy_anchor();
  bool checkpoint_is_due(Clock::time_point now) const;

  // replay (replay.cpp)
  Status end_replay();
  Status replay_commit(Database::LogRecords records, std::uint64_t sequence);
  Status replay_record(std::string_view bytes, std::uint64_t sequence);
  Status find_replay_slots(const LogRecordReader& record);
  Status replay_samples(LogRecordReader& record);
  Status replay_late(LogRecordReader& record);

  // append (append.cpp)
  Status can_write() const;
  Status judge(const AppendBatch& batch, AppendReport& report);
  void encode_record(const AppendBatch& batch);
  void announce(const AppendBatch& batch);
  void encode_late_record(const AppendBatch& batch);
  Status write_records();
  void apply(const AppendBatch& batch, AppendReport& report);
  void apply_late(const AppendBatch& batch, AppendReport& report);
  /// The oldest time that a sample which is not its series' newest may have; kMaxTimestamp when it may not be stored.
  TimestampMs oldest_late_time() const;
  Status know_last(HeadSeries& entry);

  // checkpoint (checkpoint.cpp)
  Status checkpoint_now();
  Status move_head_to_disk();
  Status begin_checkpoint();
  void begin_epoch();
  Status write_chunks(Epoch before);
  Status write_members(std::uint32_t metric, std::span<const Head::Member> members, Epoch before, Epoch live_from);
  Epoch oldest_live_epoch() const;

  // days and their merging (windows.cpp)
  Status load_partitions();
  std::optional<Partition> closed_day(TimestampMs now, Clock::time_point quiet_since) const;
  Result<bool> merge_step(DayMerge& merge);
  Status end_merge(DayMerge& merge);
  bool head_is_history(Clock::time_point now);
  Status merge_in_background(Clock::time_point now);

  // which series had samples when (activity.cpp)
  Status write_activity(Epoch before);
  template <class Visit>
  void visit_head_ranges(Head::Slot slot, Epoch before, Visit visit) const;

  // deletion (deletion.cpp)
  Status load_tombstones();
  Status bury(std::vector<MetricSelection> selections, TimestampMs min_time, TimestampMs max_time);
  Result<bool> add_tombstone(SeriesId id, DeletedInterval interval, rocksdb::WriteBatch& batch) const;
  Status drop_tombstones(TombstoneReader& tombstones);
  Status expire_tombstones(TimestampMs kept_from);
  Status forget_empty_series(std::span<const SeriesId> ids);
  Result<std::vector<SeriesId>> without_chunks(std::span<const SeriesId> ids) const;
  Status forget_unless_in_head(std::span<const SeriesId> ids);

  // snapshot (snapshot.cpp)
  std::filesystem::path snapshot_folder() const;
  void remove_unfinished_snapshots() const;

  // retention (retention.cpp)
  Status drop_before(Partition keep_from);
  Status drop_by_size(const RetentionLimits& limits);
  Status drop_orphans(Partition keep_from);
  Status drop_orphans_of(std::uint32_t metric, Window first, Partition keep_from);
  Status remove_series(std::uint32_t metric, const PostingRuns& orphans);
  Status remove_unless_in_head(std::uint32_t metric, std::span<const SeriesId> ids);
  Status forget_metadata(std::span<const std::string> metrics);

  StoreOptions options_;
  MetricsRegistry& metrics_;
  std::atomic<DurationMs> out_of_order_window_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<SeriesIndex> index_;

  std::mutex checkpoint_mutex_;
  mutable std::mutex commit_mutex_;
  mutable std::mutex head_mutex_;

  // Changed under commit_mutex_ and head_mutex_.
  Head head_;
  TimeRange stored_;  // of chunks on disk, or about to be
  TimeRange recent_;  // of samples since the last cut
  std::set<Partition> partitions_;
  std::set<Partition> merged_;  // of these, with chunks in the family `merged`
  UnmergedDays unmerged_;
  std::uint64_t departures_ = 0;

  std::atomic<std::uint64_t> tombstones_ = 0;  // series that have some; changed under checkpoint_mutex_
  std::atomic<bool> open_ = false;             // changed under commit_mutex_
  /// RocksDB resumed, or is about to, and has dropped its log: until all of the head is on the disk, nothing is taken.
  std::atomic<bool> log_incomplete_ = false;  // changed under checkpoint_mutex_

  // Under commit_mutex_.
  std::uint64_t sequence_ = 0;
  Epoch epoch_ = 1;
  std::uint64_t epoch_begin_ = 1;  // number of the epoch's first record
  std::deque<std::pair<Epoch, Clock::time_point>> epoch_starts_;
  bool cut_pending_ = false;         // there was a cut, and the checkpoint that made it did not come to its end
  std::uint64_t log_bytes_ = 0;      // since the last cut
  std::uint64_t old_log_bytes_ = 0;  // of these, what a checkpoint is about to make superfluous
  bool log_dirty_ = false;           // since the last sync
  LogRecordWriter record_;
  LogRecordWriter late_record_;
  std::vector<std::string_view> log_records_;               // of the commit under way
  std::unordered_map<std::uint64_t, std::uint32_t> lists_;  // hash of handles -> list number, 0 when seen once
  std::uint32_t next_list_ = 1;
  std::vector<Head::Slot> slots_;        // of the batch's accepted samples
  std::vector<std::uint32_t> accepted_;  // their indices, unless all are accepted
  bool all_accepted_ = false;
  TimestampMs oldest_late_ = kMaxTimestamp;                 // what oldest_late_time() said when the batch was judged
  std::vector<std::pair<std::uint32_t, Head::Slot>> late_;  // of the batch's samples that are out of order and accepted
  CommitListener* listener_ = nullptr;
  std::vector<SeriesId> announced_ids_;
  std::vector<TimestampMs> announced_times_;
  std::vector<double> announced_values_;
  std::unordered_map<std::uint64_t, std::uint64_t> metadata_seen_;  // hash of metric -> hash of what was said of it

  // During open.
  std::unordered_map<std::uint64_t, std::vector<Head::Slot>> replay_lists_;
  std::vector<Head::Slot> replay_slots_;
  std::vector<double> replay_values_;
  LogRecordReader replay_reader_;
  ReplayIndex replay_index_;
  std::uint64_t replayed_records_ = 0;
  DurationMs replay_time_ = 0;

  // Background thread.
  std::thread background_;
  std::thread syncer_;
  std::mutex background_mutex_;
  std::condition_variable background_wake_;
  bool stopping_ = false;
  std::atomic<Clock::time_point> last_checkpoint_{Clock::now()};
  Clock::time_point last_sync_{};
  Clock::time_point last_retention_{};
  std::unique_ptr<DayMerge> merging_;
  Clock::time_point last_merge_failure_{};
  QuietTime quiet_;
  std::optional<Partition> dropped_before_;  // by the limit of time; under checkpoint_mutex_
  Clock::time_point last_attempt_{};

  Counter& appended_;
  Counter& out_of_order_;
  Counter& late_stored_;
  Counter& duplicates_;
  Counter& too_old_;
  Counter& out_of_bounds_;
  Counter& created_;
  Counter& removed_;
  Counter& size_retentions_;
  Counter& checkpoints_;
  Counter& checkpoint_failures_;
  Gauge& checkpoint_seconds_;
  Counter& merges_;
  Counter& merge_failures_;
  Counter& merged_samples_;
  Counter& merge_seconds_;
};

class Store::Impl final : public StoreCore {
 public:
  using StoreCore::StoreCore;
};

}  // namespace pipit
