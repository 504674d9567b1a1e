#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/symbol_table.h"

namespace pipit {

/// One bit a step, 64 to a word; bits past the last step are 0.
using MaskWord = std::uint64_t;

inline std::size_t mask_words(std::size_t steps) { return (steps + 63) / 64; }
inline bool mask_get(const MaskWord* mask, std::size_t i) { return (mask[i >> 6] >> (i & 63)) & 1; }
inline void mask_set(MaskWord* mask, std::size_t i) { mask[i >> 6] |= MaskWord{1} << (i & 63); }
inline void mask_clear(MaskWord* mask, std::size_t i) { mask[i >> 6] &= ~(MaskWord{1} << (i & 63)); }
void mask_fill(MaskWord* mask, std::size_t steps);
bool mask_any(const MaskWord* mask, std::size_t words);
/// The first step that is set; past the last when none is.
std::size_t mask_first(const MaskWord* mask, std::size_t words);
std::size_t mask_count(const MaskWord* mask, std::size_t words);

/// Calls `visit(step)` for every set bit, ascending.
template <class Visit>
void mask_for_each(const MaskWord* mask, std::size_t words, Visit visit) {
  for (std::size_t w = 0; w < words; ++w) {
    if (mask[w] == ~MaskWord{0}) {
      for (std::size_t i = w * 64; i < w * 64 + 64; ++i) visit(i);
      continue;
    }
    for (MaskWord bits = mask[w]; bits != 0; bits &= bits - 1) {
      visit(w * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
    }
  }
}

/// The identity of a row of a block.
struct RowLabels {
  LabelSet labels;
  /// The metric's name is to be dropped from the answer. It stays until then, so that label_replace and `by (__name__)`
  /// can still see it.
  bool drop_name = false;
};

/// What operators hand on: some series x all steps of the grid, as rows of float values with a validity mask.
/// A cell whose bit is not set has no sample; its value is unspecified but may be computed with.
/// Native histograms will be a second column beside `values`.
class Block {
 public:
  /// Empties the block and sets the length of its rows.
  void reset(std::size_t steps);

  std::size_t steps() const { return steps_; }
  std::size_t words() const { return words_; }
  std::size_t rows() const { return labels_.size(); }
  bool empty() const { return labels_.empty(); }

  /// Adds a row without valid cells; returns its index. Invalidates pointers into the block.
  std::size_t add_row(LabelSet labels, bool drop_name);
  void remove_last_row();

  RowLabels& labels(std::size_t row) { return labels_[row]; }
  const RowLabels& labels(std::size_t row) const { return labels_[row]; }
  double* values(std::size_t row) { return values_.data() + row * steps_; }
  const double* values(std::size_t row) const { return values_.data() + row * steps_; }
  MaskWord* mask(std::size_t row) { return masks_.data() + row * words_; }
  const MaskWord* mask(std::size_t row) const { return masks_.data() + row * words_; }

  void set(std::size_t row, std::size_t step, double value) {
    values(row)[step] = value;
    mask_set(mask(row), step);
  }

  /// A block grows to about this many cells before it is handed on: it fits the second-level cache.
  static constexpr std::size_t kTargetCells = 32 << 10;
  bool full() const { return rows() * steps_ >= kTargetCells || rows() >= kMaxRows; }

 private:
  static constexpr std::size_t kMaxRows = 512;
  std::size_t steps_ = 0;
  std::size_t words_ = 0;
  std::vector<RowLabels> labels_;
  std::vector<double> values_;
  std::vector<MaskWord> masks_;
};

}  // namespace pipit
