#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/activity.h"
#include "storage/chunk_reader.h"

namespace pipit {

/// A series and what was known of it in RAM when a walk found it. Of one that was not there, all that it had is on disk
/// for who looks after the `departures` were counted.
struct SeriesPlace {
  SeriesId id = 0;
  Head::Slot slot = Head::kNoSlot;
  std::uint64_t departures = 0;
};

/// Walks the series that matchers select and that may have samples in the range, in the order of ids. For a range of a
/// few days these are the ones in the lists of its windows and in the head, so that a series of an earlier deploy costs
/// nothing; for a longer one, what has chunks. What has samples in the range is for the user to find out.
class SeriesWalk {
 public:
  SeriesWalk(const StoreCore& core, std::vector<MetricSelection> selections, ChunkReader& chunks, TimestampMs min_time,
             TimestampMs max_time)
      : core_(core), chunks_(chunks), selections_(std::move(selections)), min_time_(min_time), max_time_(max_time) {}

  /// False at the end.
  Result<bool> next();
  SeriesId id() const { return id_; }
  SeriesPlace place() const { return {id_, slot_, departures_}; }
  const MetricSelection& metric() const { return selections_[at_ - 1]; }

 private:
  Status next_metric();
  Status narrow_to_active(const WindowRange& windows);
  bool next_listed();
  Result<bool> next_of_all();

  const StoreCore& core_;
  ChunkReader& chunks_;
  std::vector<MetricSelection> selections_;
  TimestampMs min_time_;
  TimestampMs max_time_;
  std::size_t at_ = 0;       // one past the current metric
  std::size_t ordinal_ = 0;  // position in the metric's list
  std::vector<Head::Member> members_;
  std::size_t member_ = 0;
  std::uint64_t departures_ = 0;  // counted after the look at the head and before the one at what is on disk
  std::unique_ptr<ActivityReader> activity_;
  std::uint64_t activity_departures_ = 0;
  std::uint64_t next_id_ = 0;
  bool exhausted_ = true;
  SeriesId id_ = 0;
  Head::Slot slot_ = Head::kNoSlot;
};

/// The samples of a series, of all its chunks that touch the range, deleted ones too. `head` gets the copy of what is
/// in RAM.
Status read_samples(const StoreCore& core, const SeriesPlace& place, ChunkReader& chunks, TimestampMs min_time,
                    TimestampMs max_time, HeadCopy& head, TimeColumn& times, ValueColumn& values);

/// What a request gets of the samples of one series after another: those in the range that are not deleted. Not
/// thread-safe.
class SampleReader {
 public:
  SampleReader(const StoreCore& core, ChunkReader& chunks, const SelectRequest& request);

  Status read(const SeriesPlace& place);

  // Of the series that was read last; until the next one.
  std::span<const TimestampMs> times() const { return std::span(times_).subspan(first_, size_); }
  std::span<const double> values() const { return std::span(values_).subspan(first_, size_); }

 private:
  /// Reads the newest sample if that takes no other one. False when it does.
  Result<bool> read_newest(const SeriesPlace& place);

  const StoreCore& core_;
  ChunkReader& chunks_;
  TimestampMs min_time_;
  TimestampMs max_time_;
  bool newest_only_;
  bool want_values_;
  std::optional<ExtremeWindows> extreme_;
  std::optional<TombstoneReader> tombstones_;  // none when nothing is deleted
  HeadCopy head_;
  TimeColumn times_;
  ValueColumn values_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

/// Reads labels of series from their records. Neighbours share most of them, so ids of the record before are taken over
/// where the bytes are the same.
class LabelReader {
 public:
  LabelReader(const StoreCore& core, SymbolTable& symbols) : core_(core), symbols_(symbols) {}

  /// False when there is no such series any more.
  Result<bool> read(SeriesId id, std::string_view metric_name, LabelSet& labels);
  /// The metric's name alone, for which nothing is read.
  void set_name(SeriesId id, std::string_view metric_name, LabelSet& labels);

 private:
  void enter_metric(SeriesId id, std::string_view metric_name);
  Result<bool> find_record(SeriesId id);
  void set(std::size_t i, std::string_view name, std::string_view value, LabelSet& labels);

  const StoreCore& core_;
  SymbolTable& symbols_;
  std::unique_ptr<rocksdb::Iterator> it_;
  LabelSet last_;  // without the metric's name
  SymbolId name_label_ = 0;
  std::uint32_t metric_ = 0;
  SymbolId metric_name_ = 0;
};

class StoreCursor final : public SeriesCursor {
 public:
  StoreCursor(const StoreCore& core, std::vector<MetricSelection> selections, const SelectRequest& request,
              SymbolTable& symbols);

  Result<bool> next() override;
  const LabelSet& labels() const override { return labels_; }
  std::span<const TimestampMs> times() const override { return samples_.times(); }
  std::span<const double> values() const override { return samples_.values(); }

 private:
  const std::atomic<bool>* canceled_;
  bool want_labels_;
  bool name_only_;
  ChunkReader chunks_;
  SeriesWalk walk_;
  LabelReader label_reader_;
  SampleReader samples_;
  LabelSet labels_;
};

}  // namespace pipit
