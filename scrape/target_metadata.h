#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "model/metadata.h"
#include "scrape/series_cache.h"

namespace pipit {

/// What a page says of one metric family.
struct FamilyMetadata {
  std::string metric;
  Metadata metadata;
  bool operator==(const FamilyMetadata&) const = default;
};

/// Reads the HELP, TYPE and UNIT lines that targets' caches keep anyway: metadata takes no memory of its own, and pages
/// of the same exporter share it.
class MetadataReader {
 public:
  /// `metric`: only that one; "" means all.
  explicit MetadataReader(std::string metric) : metric_(std::move(metric)) {}

  /// What the page that `cache` remembers says, in its order.
  std::vector<FamilyMetadata> read(const SeriesCache& cache);
  /// The same, without what this reader has read from another target that shares the very lines.
  std::vector<FamilyMetadata> read_unseen(const SeriesCache& cache);

 private:
  void take(std::string_view comments, PageFormat format, std::vector<FamilyMetadata>& out);

  std::string metric_;
  std::unordered_set<std::uint64_t> seen_;  ///< blocks of lines
  std::vector<MetadataLine> lines_;
};

/// The metadata that consecutive lines of one metric make, from `lines[i]` on; `i` moves behind them.
FamilyMetadata join_metadata(const std::vector<MetadataLine>& lines, PageFormat format, std::size_t& i);

}  // namespace pipit
