#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/result.h"

namespace pipit {

/// Small records that must outlive a kill and a power cut, beside the samples: silences, what was told to whom.
/// Thread-safe.
class RecordStore {
 public:
  struct Change {
    std::string key;
    std::optional<std::string> value;  ///< nothing: the record goes
  };

  virtual ~RecordStore() = default;
  /// All or none of them, on the disk when this returns. Errors: unavailable, when it can't be written.
  virtual Status write_records(std::span<const Change> changes) = 0;
  /// Those whose keys begin so, by key.
  virtual Result<std::vector<std::pair<std::string, std::string>>> read_records(std::string_view prefix) const = 0;
};

}  // namespace pipit
