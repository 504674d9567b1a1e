#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/metadata.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// A writer's handle to a series of the head. Opaque; 0 is none. It stays good until the store drops the
/// series from RAM for being idle, after which appends to it are reported as unknown and the writer asks again.
using SeriesRef = std::uint64_t;
inline constexpr SeriesRef kNoSeries = 0;

/// Samples to store at once, as columns. `refs[i]` gets `values[i]` at `times[i]`, or at `times[0]` when
/// `times` has one element, which is the cheap case: a scrape's samples share their timestamp.
/// The spans must stay valid during the call only.
struct AppendBatch {
  std::span<const SeriesRef> refs;
  std::span<const double> values;
  std::span<const TimestampMs> times;
};

/// What became of each sample of a batch. Rules (Prometheus's):
/// - newer than the series' newest: stored;
/// - same time and same bits as the newest: ignored, and counted as stored;
/// - same time, other value: refused as a duplicate;
/// - older than the newest: stored if it is no older than the out-of-order window allows, counted from the newest
///   sample of the store; otherwise refused, as out of order when there is no window and as too old when there is one;
/// - beyond retention: refused as out of bounds, or as too old when there is a window.
struct AppendReport {
  enum class Refusal : std::uint8_t { none, duplicate, out_of_order, too_old, out_of_bounds };

  std::uint32_t stored = 0;
  std::uint32_t duplicates = 0;
  std::uint32_t out_of_order = 0;
  std::uint32_t too_old = 0;
  std::uint32_t out_of_bounds = 0;
  Refusal first_refusal = Refusal::none;  ///< why the first sample that broke a rule was refused
  std::uint32_t first_refused = 0;        ///< its index, if there is one
  std::vector<std::uint32_t> unknown;     ///< indices of samples whose ref is no longer good

  void refuse(Refusal why, std::uint32_t index) {
    ++count(why);
    if (first_refusal == Refusal::none) {
      first_refusal = why;
      first_refused = index;
    }
  }
  std::uint32_t refused() const { return duplicates + out_of_order + too_old + out_of_bounds; }

 private:
  std::uint32_t& count(Refusal why) {
    switch (why) {
      case Refusal::duplicate:
        return duplicates;
      case Refusal::out_of_order:
        return out_of_order;
      case Refusal::too_old:
        return too_old;
      default:
        return out_of_bounds;
    }
  }
};

/// The way in: what scraping, remote write and rules know of the store. Thread-safe.
class Appender {
 public:
  virtual ~Appender() = default;

  /// The series with these labels, made if it is new (durable with the first append that uses it).
  /// REQUIRES: labels has a metric name. Errors: unavailable when the store can't take new series.
  virtual Result<SeriesRef> series(const Labels& labels) = 0;

  /// The fast way to series that are in RAM: `refs[i]` becomes the handle of the series whose labels have this encoding
  /// (`encode_labels` of model/labels.h), or kNoSeries when there is none in RAM; `series` then knows more.
  /// Nothing is parsed, so labels that are encoded in any other way are not found. REQUIRES: as many refs as encodings.
  virtual void find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const = 0;

  /// Stores a batch as one write-ahead record. When this returns, the stored samples survive the death of
  /// the process; all of the batch survives or none. Samples refused by rule don't fail the batch.
  /// Errors: unavailable (disk full, closing), internal; nothing of the batch is stored then.
  virtual Result<AppendReport> append(const AppendBatch& batch) = 0;

  /// Remembers what a page says of `metric`; cheap when nothing changed.
  virtual Status set_metadata(std::string_view metric, const Metadata& metadata) = 0;
};

}  // namespace pipit
