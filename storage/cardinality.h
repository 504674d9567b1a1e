#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/sample.h"

namespace pipit {

/// How many series the store has, and what they are made of: the lists that tell where a flood of series comes from.
/// Series of the whole store, what only the head has included.
struct Cardinality {
  struct Count {
    std::string name;
    std::uint64_t count = 0;
    bool operator==(const Count&) const = default;
  };
  /// Series that had samples in two hours of the clock, by what checkpoints have written and the head has.
  struct Hours {
    TimestampMs start = 0;
    std::uint64_t series = 0;
    std::uint64_t appeared = 0;  ///< of them, those that had none in the two hours before
    std::uint64_t vanished = 0;  ///< those of the two hours before that have none now
  };

  std::uint64_t series = 0;
  std::uint64_t metrics = 0;
  std::uint64_t label_names = 0;  ///< `__name__` included
  std::uint64_t label_pairs = 0;  ///< different names with values

  // The largest, at most as many as were asked for; sorted by count descending, then by name.
  std::vector<Count> series_by_metric;
  std::vector<Count> values_by_label;
  std::vector<Count> bytes_by_label;  ///< lengths of a label's values, as often as series have them
  std::vector<Count> series_by_pair;  ///< `name=value`

  /// The last week's hours with series, ascending.
  std::vector<Hours> churn;
  /// Sizes of the files, by what they hold.
  std::vector<Count> file_bytes;
};

}  // namespace pipit
