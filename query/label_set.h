#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "model/symbol_table.h"

namespace pipit {

// Operations on the labels of a query's series, as ids of its SymbolTable.

/// Hashes the ids: good within one query only. Keyed, as those whose series they are have a say in them.
struct LabelSetHash {
  std::size_t operator()(const LabelSet& labels) const;
};

/// What a list of labels takes in RAM, and so much more for a place in a table that finds it.
inline std::size_t bytes_of(const LabelSet& labels) {
  constexpr std::size_t kAllocation = 16;
  return sizeof(LabelSet) + kAllocation + labels.size() * sizeof(LabelPair);
}
inline constexpr std::size_t kTableEntryBytes = 16;

/// The value's id, 0 ("") when there is no such label.
SymbolId get_label(const LabelSet& labels, SymbolId name);
/// Adds, replaces or (with value 0) removes a label; keeps the order.
void set_label(LabelSet& labels, SymbolId name, SymbolId value, const SymbolTable& symbols);
inline void remove_label(LabelSet& labels, SymbolId name) {
  std::erase_if(labels, [name](const LabelPair& l) { return l.name == name; });
}

/// By the texts of names, then values, as Prometheus orders series.
bool labels_less(const LabelSet& a, const LabelSet& b, const SymbolTable& symbols);

/// `{a="b", c="d"}`, the metric's name as `__name__` among them, as in error messages.
std::string labels_text(const LabelSet& labels, const SymbolTable& symbols);

/// `names` as ids.
std::vector<SymbolId> intern_all(std::span<const std::string> names, SymbolTable& symbols);

}  // namespace pipit
