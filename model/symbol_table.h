#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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
    auto found = ids_.find(text);
    if (found != ids_.end()) return found->second;
    const auto& stored = strings_.emplace_back(text);
    auto id = static_cast<SymbolId>(strings_.size() - 1);
    ids_.emplace(std::string_view(stored), id);
    bytes_ += stored.size() + 64;
    return id;
  }
  std::string_view text(SymbolId id) const { return strings_[id]; }
  std::size_t size() const { return strings_.size(); }
  /// Roughly what the table holds in RAM, for a query's memory budget.
  std::size_t bytes() const { return bytes_; }

 private:
  std::deque<std::string> strings_;
  std::unordered_map<std::string_view, SymbolId> ids_;
  std::size_t bytes_ = 0;
};

struct LabelPair {
  SymbolId name = 0;
  SymbolId value = 0;
  bool operator==(const LabelPair&) const = default;
};

/// A series' labels as ids of one SymbolTable, sorted by the *text* of the name, without empty values.
using LabelSet = std::vector<LabelPair>;

}  // namespace pipit
