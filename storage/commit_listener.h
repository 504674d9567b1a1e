#pragma once

#include <cstdint>
#include <span>

#include "model/sample.h"

namespace pipit {

/// The samples of one append that the store takes, as columns.
struct CommittedSamples {
  std::span<const std::uint64_t> series;  ///< ids, for `Store::series_labels`
  std::span<const TimestampMs> times;     ///< one a sample, or one for all
  std::span<const double> values;
};

/// Is told of all samples before they are stored, whoever they come from, commit after commit.
///
/// What is announced is stored unless the write-ahead log can't be written, or the process dies in between: who hears
/// of everything may hear of a sample that its writer sends once more. It never misses one that was acknowledged.
class CommitListener {
 public:
  virtual ~CommitListener() = default;
  /// Called under the store's commit lock: it must be quick and must not call the store.
  virtual void committing(const CommittedSamples& samples) = 0;
};

}  // namespace pipit
