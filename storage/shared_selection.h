#pragma once

#include <memory>
#include <vector>

#include "storage/series_cursor.h"

namespace pipit {

/// The store's selection for several threads: one walk over the series, and for each reader iterators of its own.
class StoreSelection final : public SharedSelection {
 public:
  StoreSelection(const StoreCore& core, std::vector<MetricSelection> selections, const SelectRequest& request,
                 SymbolTable& symbols);

  std::unique_ptr<Reader> reader() override;
  Result<bool> labels(std::uint64_t series, LabelSet& labels) override;

 private:
  class BatchReader;

  const StoreCore& core_;
  SelectRequest request_;
  std::vector<std::pair<std::uint32_t, std::string>> metrics_;  ///< their names, by id
  ChunkReader walked_chunks_;
  SeriesWalk walk_;
  bool at_end_ = false;
  LabelReader label_reader_;
  std::size_t metric_ = 0;  ///< of the labels that were read last
};

}  // namespace pipit
