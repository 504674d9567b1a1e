#pragma once

#include <cstddef>
#include <vector>

#include "query/block.h"
#include "query/cell_arena.h"
#include "query/label_set.h"
#include "query/label_table.h"
#include "query/operator.h"
#include "query/query_context.h"

namespace pipit {

/// Rows that an operator must keep, counted against the query's limit.
class RowStore {
 public:
  RowStore(QueryContext& context, std::size_t steps) : steps_(steps), words_(mask_words(steps)), held_(context) {}

  struct Row {
    RowLabels labels;
    CellVector values;
    std::pmr::vector<MaskWord> mask;
  };

  /// Copies a row of a block. False when the query's limit is reached.
  bool add(const Block& block, std::size_t row);
  /// Adds a row without valid cells; null when the query's limit is reached. The pointer lives until the next add.
  Row* add_empty(RowLabels labels);

  std::vector<Row>& rows() { return rows_; }
  std::size_t size() const { return rows_.size(); }
  std::size_t steps() const { return steps_; }

 private:
  bool hold(const Row& row);

  std::size_t steps_;
  std::size_t words_;
  HeldCells held_;
  CellArena cells_;  ///< of the rows
  std::vector<Row> rows_;
};

/// Hands stored rows out as blocks, moving their labels; rows without a valid cell are left out.
class RowStoreReader {
 public:
  bool next(RowStore& store, Block& out);

 private:
  std::size_t at_ = 0;
};

/// Unites rows with the same labels into one, in order of first appearance. Two samples at one step fail the query:
/// "vector cannot contain metrics with the same labelset". Holds everything.
OperatorPtr make_merge_equal_rows(QueryContext& context, OperatorPtr input);

inline constexpr const char* kSameLabelset = "vector cannot contain metrics with the same labelset";

/// Watches rows go by and fails the query when two of them have the same labels and a sample at the same step.
/// Remembers labels and masks only.
class DuplicateGuard {
 public:
  explicit DuplicateGuard(QueryContext& context) : context_(context), held_(context) {}
  bool admit(const LabelSet& labels, const MaskWord* mask, std::size_t words);

 private:
  QueryContext& context_;
  HeldCells held_;
  LabelTable<std::vector<MaskWord>> seen_;
};

}  // namespace pipit
