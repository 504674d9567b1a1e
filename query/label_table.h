#pragma once

#include <utility>
#include <vector>

#include "model/hash_index.h"
#include "query/label_set.h"

namespace pipit {

/// Things that are found by their labels, in the order in which they were added.
template <class T>
class LabelTable {
 public:
  /// The one with these labels, and whether it is new. The pointer is good until the next one is added.
  std::pair<T*, bool> find_or_add(const LabelSet& key) {
    const auto next = static_cast<std::uint32_t>(values_.size());
    const std::uint32_t place =
        index_.find_or_put(LabelSetHash()(key), next, [&](std::uint32_t at) { return keys_[at] == key; });
    if (place == next) {
      keys_.push_back(key);
      values_.emplace_back();
    }
    return {&values_[place], place == next};
  }
  /// Null when there is none.
  const T* find(const LabelSet& key) const {
    const std::uint32_t place = index_.find(LabelSetHash()(key), [&](std::uint32_t at) { return keys_[at] == key; });
    return place == HashIndex::kNone ? nullptr : &values_[place];
  }
  T* find(const LabelSet& key) { return const_cast<T*>(std::as_const(*this).find(key)); }

  std::size_t size() const { return values_.size(); }
  std::vector<T>& values() { return values_; }

 private:
  HashIndex index_;
  std::vector<LabelSet> keys_;
  std::vector<T> values_;
};

}  // namespace pipit
