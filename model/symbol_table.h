#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "model/hash_index.h"
#include "model/keyed_hash.h"

namespace pipit {

using SymbolId = std::uint32_t;

/// Interned strings. Ids are dense from 0; id 0 is "". Equal ids mean equal strings.
///
/// A query owns one: labels of its series travel as ids, are compared and grouped as integers, and become
/// text again only in the answer. Not thread-safe. Returned views live as long as the table.
class SymbolTable {
 public:
  SymbolTable() { intern(""); }
  SymbolTable(const SymbolTable&) = delete;
  SymbolTable& operator=(const SymbolTable&) = delete;

  SymbolId intern(std::string_view text) {
    const auto next = static_cast<SymbolId>(texts_.size());
    const SymbolId id =
        ids_.find_or_put(keyed_hash(text, key_), next, [&](std::uint32_t at) { return texts_[at] == text; });
    if (id == next) texts_.push_back(store(text));
    return id;
  }
  std::string_view text(SymbolId id) const { return texts_[id]; }
  std::size_t size() const { return texts_.size(); }
  /// Roughly what the table holds in RAM, for a query's memory budget.
  std::size_t bytes() const { return bytes_ + texts_.capacity() * sizeof(std::string_view) + ids_.bytes(); }

 private:
  std::string_view store(std::string_view text) {
    if (text.size() > spare_) {
      // A query of few texts has few, and one of many is not in many pieces.
      spare_ = std::max(text.size(), std::clamp<std::size_t>(bytes_, 256, 64 << 10));
      pieces_.push_back(std::make_unique_for_overwrite<char[]>(spare_));
      free_ = pieces_.back().get();
      bytes_ += spare_;
    }
    char* stored = free_;
    std::copy(text.begin(), text.end(), stored);
    free_ += text.size();
    spare_ -= text.size();
    return {stored, text.size()};
  }

  const HashKey key_ = hash_key();
  std::vector<std::string_view> texts_;
  HashIndex ids_;
  std::vector<std::unique_ptr<char[]>> pieces_;  ///< that the texts stand in
  char* free_ = nullptr;                         ///< in the last of them
  std::size_t spare_ = 0;                        ///< bytes from there
  std::size_t bytes_ = 0;                        ///< of all of them
};

struct LabelPair {
  SymbolId name = 0;
  SymbolId value = 0;
  bool operator==(const LabelPair&) const = default;
};

/// A series' labels as ids of one SymbolTable, sorted by the *text* of the name, without empty values.
using LabelSet = std::vector<LabelPair>;

}  // namespace pipit
