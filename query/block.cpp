#include "query/block.h"

#include <algorithm>

namespace pipit {

void mask_fill(MaskWord* mask, std::size_t steps) {
  std::size_t whole = steps / 64;
  std::fill(mask, mask + whole, ~MaskWord{0});
  if (steps % 64 != 0) mask[whole] = (MaskWord{1} << (steps % 64)) - 1;
}

bool mask_any(const MaskWord* mask, std::size_t words) {
  return std::any_of(mask, mask + words, [](MaskWord w) { return w != 0; });
}

std::size_t mask_first(const MaskWord* mask, std::size_t words) {
  for (std::size_t w = 0; w < words; ++w) {
    if (mask[w] != 0) return w * 64 + static_cast<std::size_t>(std::countr_zero(mask[w]));
  }
  return words * 64;
}

std::size_t mask_count(const MaskWord* mask, std::size_t words) {
  std::size_t n = 0;
  for (std::size_t w = 0; w < words; ++w) n += static_cast<std::size_t>(std::popcount(mask[w]));
  return n;
}

void Block::reset(std::size_t steps) {
  steps_ = steps;
  words_ = mask_words(steps);
  labels_.clear();
  values_.clear();
  masks_.clear();
}

std::size_t Block::add_row(LabelSet labels, bool drop_name) {
  labels_.push_back({std::move(labels), drop_name});
  values_.resize(values_.size() + steps_, 0.0);
  masks_.resize(masks_.size() + words_, 0);
  return labels_.size() - 1;
}

void Block::remove_last_row() {
  labels_.pop_back();
  values_.resize(values_.size() - steps_);
  masks_.resize(masks_.size() - words_);
}

}  // namespace pipit
