#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.h"
#include "model/sample.h"
#include "storage/coding.h"
#include "storage/keys.h"

namespace pipit {

// A write-ahead record holds one append as columns: which series, when, and what. Byte by byte: docs/storage.md.

inline constexpr std::uint8_t kSamplesRecord = 1;
/// The same for samples that are older than their series' newest: values are relative to nothing.
inline constexpr std::uint8_t kLateRecord = 2;

/// What a value is written relative to: the series' last value *within the same epoch*, which is the time
/// between two checkpoints' cuts, as a replay starts at a cut and knows nothing older.
struct Predictor {
  std::uint64_t last_bits = 0;
  bool known = false;
  int scale = 0;  ///< a hint for writing only: the decimal scale to try, -1 for none
};

/// Lists of series that come again (a target's page) are written once in an epoch and then named by a number.
enum class SeriesList : std::uint8_t {
  inlined = 0,  ///< the ids, for this record only
  defined = 1,  ///< a number and the ids
  known = 2,    ///< a number that a record of the same epoch defined
};

class LogRecordWriter {
 public:
  /// Starts a record of `count` samples, which has `position` records of the same epoch before it.
  void begin(std::uint64_t epoch, std::uint64_t position, std::size_t count, SeriesList list, std::uint64_t list_number,
             std::uint8_t type = kSamplesRecord);
  /// Comes before ids and times: a sample that is older than another of its series in this record, but not older than
  /// `oldest`, is a late one and not a refused one.
  void keep_late(TimestampMs oldest);
  /// One a sample, unless the list is known.
  void add_id(SeriesId id);
  /// One for all samples, or one a sample.
  void set_times(std::span<const TimestampMs> times);
  /// One a sample, after ids and times.
  void add_value(double value, const Predictor& predictor);
  /// The record; lives until the next begin().
  std::string_view finish();

 private:
  std::string bytes_;
  std::string values_;
  std::vector<std::uint8_t> changed_;
  std::size_t next_value_ = 0;
  SeriesId last_id_ = 0;
};

class LogRecordReader {
 public:
  /// Reads all but the values. Errors: internal when the bytes are damaged.
  Status open(std::string_view record);

  bool late() const { return type_ == kLateRecord; }
  /// kMaxTimestamp when the record keeps no late samples.
  TimestampMs oldest_late() const { return oldest_late_; }
  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t position() const { return position_; }
  std::size_t count() const { return count_; }
  SeriesList list() const { return list_; }
  std::uint64_t list_number() const { return list_number_; }
  /// Empty when the list is known.
  std::span<const SeriesId> ids() const { return ids_; }
  TimestampMs time(std::size_t i) const { return times_.size() == 1 ? times_[0] : times_[i]; }
  /// Samples in order, each once. False when the bytes are damaged.
  bool next_value(const Predictor& predictor, double& value);

 private:
  bool read_ids(ByteReader& reader);
  bool read_times(ByteReader& reader, bool shared);

  std::uint8_t type_ = kSamplesRecord;
  TimestampMs oldest_late_ = kMaxTimestamp;
  std::uint64_t epoch_ = 0;
  std::uint64_t position_ = 0;
  std::size_t count_ = 0;
  SeriesList list_ = SeriesList::inlined;
  std::uint64_t list_number_ = 0;
  std::vector<SeriesId> ids_;
  std::vector<TimestampMs> times_;
  std::string_view changed_;
  std::size_t next_value_ = 0;
  ByteReader values_{{}};
};

}  // namespace pipit
