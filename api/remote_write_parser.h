#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/metadata.h"
#include "model/sample.h"

namespace pipit {

/// A series of a message. The views are into the message.
struct RemoteWriteSeries {
  /// The label fields as they were sent, and nothing else if they stand together at the front, which is what every
  /// known client sends and `Appender::find_encoded` takes. Otherwise all fields of the series.
  std::string_view labels;
  // `RemoteWriteSamples` reads these: the first sample, and the fields after it.
  TimestampMs first_time = 0;
  double first_value = 0;
  std::string_view after_first;
  std::uint32_t sample_count = 0;
  std::uint32_t exemplar_count = 0;
  std::uint32_t histogram_count = 0;
  std::string_view from_first_exemplar;  ///< `read_remote_write_exemplar` reads it
};

struct RemoteWriteMetadata {
  MetricType type = MetricType::unknown;
  std::string_view metric;
  std::string_view help;
  std::string_view unit;
};

/// More of a series are malformed: 64 KB of labels are the most that is stored.
inline constexpr std::size_t kMaxRemoteWriteLabels = 4096;

struct RemoteWriteLabel {
  std::string_view name;
  std::string_view value;
};

struct RemoteWriteExemplar {
  std::vector<RemoteWriteLabel> labels;  ///< in the order of the message
  double value = 0;
  TimestampMs time = 0;
};

/// Walks a `prometheus.WriteRequest` (remote write 1.0, docs/http-api.md) without copying or allocating anything.
/// Fields it does not know are skipped, as protobuf asks; groups, which are older than the format, are an error.
class RemoteWriteParser {
 public:
  enum class Item {
    series,     ///< `series` has it; all of its fields are well-formed, except inside the labels
    metadata,   ///< `metadata` has it
    end,        ///< of the message
    malformed,  ///< at `position`; nothing follows
  };

  /// `message` must remain live while the parser and what it gives are in use.
  explicit RemoteWriteParser(std::string_view message) : start_(message.data()), rest_(message) {}

  Item next();
  const RemoteWriteSeries& series() const { return series_; }
  const RemoteWriteMetadata& metadata() const { return metadata_; }
  /// Bytes of the message that were read.
  std::size_t position() const { return static_cast<std::size_t>(rest_.data() - start_); }

 private:
  bool parse_series(std::string_view fields);
  bool parse_metadata(std::string_view fields);

  const char* start_;
  std::string_view rest_;
  RemoteWriteSeries series_;
  RemoteWriteMetadata metadata_;
};

/// The samples of a series, in the order of the message.
class RemoteWriteSamples {
 public:
  /// REQUIRES: `RemoteWriteParser` gave it.
  explicit RemoteWriteSamples(const RemoteWriteSeries& series)
      : time_(series.first_time), value_(series.first_value), left_(series.sample_count), rest_(series.after_first) {}

  /// False at the end.
  bool next(TimestampMs& time, double& value) {
    if (left_ == 0) return false;
    --left_;
    time = time_;
    value = value_;
    if (left_ != 0) read_ahead();
    return true;
  }

 private:
  void read_ahead();

  // The sample that comes next, if any are left.
  TimestampMs time_;
  double value_;
  std::uint32_t left_;
  std::string_view rest_;
};

/// Reads the labels of `RemoteWriteSeries::labels` in the order of the message. False when they are malformed.
bool parse_remote_write_labels(std::string_view fields, std::vector<RemoteWriteLabel>& labels);

/// Takes the next exemplar off `fields`. False when there is none.
/// REQUIRES: they are `RemoteWriteSeries::from_first_exemplar` or what an earlier call has left of it.
bool read_remote_write_exemplar(std::string_view& fields, RemoteWriteExemplar& exemplar);

/// Whether what the parser has not read yet is well-formed, labels included.
bool is_well_formed(RemoteWriteParser parser);

}  // namespace pipit
