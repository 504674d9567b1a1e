#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/remote_write_parser.h"
#include "model/result.h"
#include "storage/appender.h"
#include "storage/exemplar_store.h"

namespace pipit {

/// Why a sample of a message was not stored, though the message was good.
enum class RemoteWriteRefusal { out_of_order, duplicate, too_old, out_of_bounds, invalid_labels, native_histogram };
inline constexpr std::size_t kRemoteWriteRefusals = 6;
/// "out_of_order".
std::string_view refusal_name(RemoteWriteRefusal refusal);

/// What became of a message.
struct RemoteWriteOutcome {
  std::uint64_t stored = 0;  ///< samples; one that was there already counts
  std::array<std::uint64_t, kRemoteWriteRefusals> refused{};
  std::string first_refusal;            ///< in words, with the series
  std::uint64_t stored_exemplars = 0;   ///< one that was there already counts
  std::uint64_t ignored_exemplars = 0;  ///< as their series, labels or times are none that can be stored

  std::uint64_t refused_total() const;
  /// `words` and the series with these labels, as they were sent, are kept of the first.
  void refuse(RemoteWriteRefusal why, std::uint64_t samples, std::string_view words, std::string_view labels);
};

/// Stores messages of remote write, a thousand samples and more at once. Its columns and buffers are used again, so
/// that a message of known series costs no allocation. For one thread at a time.
class RemoteWriteBatch {
 public:
  /// Samples of one append, at most. It bounds the memory of any message to a few hundred kilobytes beside its own
  /// bytes.
  static constexpr std::size_t kMaxSamples = 16 << 10;

  /// Stores the samples and metadata of `message`. What the rules refuse does not stop the rest. Samples later than
  /// `latest` are out of bounds: a client with a wrong clock would block its series until that time. Exemplars, of the
  /// samples' series or of any that are in RAM, go to `exemplars` if it is not null.
  /// Errors: bad_data when the message is malformed, and nothing is stored then; unavailable and internal as
  /// `Appender::append` gives them: then all, some or nothing is stored, and the client may send it again.
  Result<RemoteWriteOutcome> store(std::string_view message, TimestampMs latest, Appender& appender,
                                   ExemplarStore* exemplars = nullptr);

 private:
  bool add_samples(const RemoteWriteSeries& series, RemoteWriteSamples& samples);
  void clear();
  /// Appends what is in the columns and empties them.
  Status flush();
  Status find_series();
  Status find_in_another_form(std::span<const std::uint32_t> missing);
  Status create(std::uint32_t series, std::string_view encoding);
  Status append(bool again);
  /// Keeps these samples of the columns, and their series. REQUIRES: ascending.
  void keep(std::span<const std::uint32_t> samples);
  void drop_samples_without_series();
  void take_over(const AppendReport& report);
  Status store_metadata(RemoteWriteParser parser);
  void store_exemplars(RemoteWriteParser parser, ExemplarStore& exemplars);
  void store_exemplars_of(const RemoteWriteSeries& series, ExemplarStore& exemplars);
  std::uint32_t series_of(std::uint32_t sample) const;
  std::uint32_t end_of(std::size_t series) const;

  // Of the message that is being stored.
  Appender* appender_ = nullptr;
  TimestampMs latest_ = kMaxTimestamp;
  RemoteWriteOutcome outcome_;

  // Of each series that has samples here: its labels as sent, its first sample, its handle.
  std::vector<std::string_view> encodings_;
  std::vector<std::uint32_t> first_samples_;
  std::vector<SeriesRef> series_refs_;
  // Of each sample.
  std::vector<TimestampMs> times_;
  std::vector<double> values_;
  std::vector<SeriesRef> refs_;
  bool one_time_ = true;  ///< all samples have the same

  std::vector<std::uint32_t> chosen_;  ///< series or samples that need another look
  std::vector<RemoteWriteLabel> labels_;
  std::string canonical_;
  RemoteWriteExemplar exemplar_;
};

}  // namespace pipit
