#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "storage/appender.h"
#include "storage/cardinality.h"
#include "storage/queryable.h"
#include "storage/record_store.h"

namespace pipit {

struct DatabaseOpener;
class CommitListener;
class MetricsRegistry;

struct StoreOptions {
  std::filesystem::path path;                      ///< Pipit's own folder; made if missing
  DurationMs retention = 15LL * 24 * 3600 * 1000;  ///< 0 keeps everything
  /// Days are dropped, oldest first, when all files are larger together; 0 is no limit. The newest day always stays.
  std::uint64_t retention_bytes = 0;
  /// How much older than the store's newest sample one may be that is not its series' newest; 0 refuses all such.
  DurationMs out_of_order_window = 0;
  /// How long what was appended may wait until it is forced to the disk; 0 forces it before append returns.
  DurationMs log_sync_interval = 2000;
  /// RAM for the open chunks of the head before they are written out, in bytes.
  std::size_t head_bytes = 5u << 20;
  /// Of small chunks: what one step of merging a day takes. It bounds how long a checkpoint may have to wait for it.
  std::size_t merge_step_bytes = 32u << 20;
  /// RAM for RocksDB's blocks and memtables together, in bytes.
  std::size_t cache_bytes = 8u << 20;
};

struct StoreStats {
  std::uint64_t head_series = 0;
  std::uint64_t head_samples = 0;  ///< in open chunks
  std::uint64_t head_bytes = 0;
  TimestampMs min_time = kMaxTimestamp;  ///< of the whole store, kMaxTimestamp when empty
  TimestampMs max_time = kMinTimestamp;
  std::uint64_t replayed_records = 0;
  DurationMs replay_time = 0;
};

/// The database: one RocksDB below `StoreOptions::path`. Formats and background jobs: docs/storage.md.
///
/// Thread-safe. Any number of threads may append and query at once; a writer never waits for a reader to
/// finish a query. The destructor closes without losing anything; `close` does so and reports.
class Store final : public Appender, public Queryable, public RecordStore {
 public:
  /// Errors: unavailable when another process has the folder open, or it can't be made or written (the
  /// message names it); internal when what is there is damaged (the message names the file).
  /// `metrics` must outlive the store.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options, MetricsRegistry& metrics);
  ~Store() override;

  Status close();
  void set_out_of_order_window(DurationMs window);
  /// From now on `listener` is told of what is appended; null: nobody. When this returns nobody else is told any more.
  /// It must outlive its time as the listener.
  void set_commit_listener(CommitListener* listener);
  /// The labels of a series that a listener was told of; nothing when it is gone.
  Result<std::optional<Labels>> series_labels(std::uint64_t series) const;
  /// Writes the open chunks out, so that the write-ahead records before this call are no longer needed.
  Status checkpoint();
  /// Drops what is older than the retention, as of `now`. Called by the store itself every few minutes.
  Status apply_retention(TimestampMs now);
  /// Merges the chunks of days that are over as of `now` into long ones, which are smaller. Called by the store itself
  /// some minutes after the last chunk came into such a day. What the head has of a day must have been written out
  /// (`checkpoint`), or the day has to wait.
  Status merge_closed_days(TimestampMs now);
  StoreStats stats() const;
  /// Counts series, labels and what they are made of, at most `limit` of each kind. Reads the whole index: a second or
  /// so for a million series. `cardinality.h`.
  Result<Cardinality> cardinality(std::size_t limit) const;

  /// Hides all samples so far of the series that one of the sets selects, between the times, both included; they
  /// survive no restart and come back by no append. `clean_tombstones` takes them from the disk. No sets, no deletion.
  Status delete_series(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time);
  /// Removes from the disk what was deleted before the call, and series that have no sample left. Takes as long as
  /// rewriting their days does.
  Status clean_tombstones();
  /// Makes a copy that a store opens as its own, in `<folder above path>/snapshots/<name>`, and returns the name.
  /// Everything acknowledged before the call is in it, or with `skip_head` what is no longer in the write-ahead log
  /// alone.
  Result<std::string> snapshot(bool skip_head);

  // Appender
  Result<SeriesRef> series(const Labels& labels) override;
  void find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const override;
  Result<AppendReport> append(const AppendBatch& batch) override;
  Status set_metadata(std::string_view metric, const Metadata& metadata) override;

  // RecordStore
  Status write_records(std::span<const Change> changes) override;
  Result<std::vector<std::pair<std::string, std::string>>> read_records(std::string_view prefix) const override;

  // Queryable
  Result<std::unique_ptr<SeriesCursor>> select(const SelectRequest& request, SymbolTable& symbols) const override;
  Result<std::unique_ptr<SharedSelection>> select_shared(const SelectRequest& request,
                                                         SymbolTable& symbols) const override;
  Result<std::vector<std::string>> label_names(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                               std::size_t limit) const override;
  Result<std::vector<std::string>> label_values(std::string_view name, MatcherSets matcher_sets, TimestampMs min_time,
                                                TimestampMs max_time, std::size_t limit) const override;
  Result<std::vector<Labels>> series(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                     std::size_t limit) const override;
  Result<std::vector<MetricMetadata>> metadata(std::string_view metric, std::size_t limit) const override;

 private:
  class Impl;
  friend Result<std::unique_ptr<Store>> open_store(const DatabaseOpener&, const StoreOptions&, MetricsRegistry&);
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pipit
