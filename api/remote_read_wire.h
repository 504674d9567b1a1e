#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/labels.h"
#include "model/symbol_table.h"
#include "storage/protobuf.h"
#include "storage/queryable.h"

namespace pipit {

// Protobuf that the answers of remote read have in common.

inline std::size_t varint_size(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

/// The tag and length of a field whose bytes follow.
inline void append_head(std::string& out, unsigned field, std::size_t size) {
  out += protobuf::tag(field, protobuf::kBytes);
  put_varint(out, size);
}

inline void append_label(std::string& out, std::string_view name, std::string_view value) {
  append_head(out, 1, 2 + varint_size(name.size()) + name.size() + varint_size(value.size()) + value.size());
  protobuf::put_bytes(out, 1, name);
  protobuf::put_bytes(out, 2, value);
}

/// Appends the labels of the cursor's series and the external ones that it lacks, sorted.
inline void append_series_labels(std::string& out, const SymbolTable& symbols, const LabelSet& series,
                                 const Labels& external,
                                 std::vector<std::pair<std::string_view, std::string_view>>& labels) {
  labels.clear();
  for (const LabelPair& pair : series) labels.emplace_back(symbols.text(pair.name), symbols.text(pair.value));
  const std::size_t own = labels.size();
  for (const Label& label : external) {
    const bool has = std::any_of(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(own),
                                 [&](const auto& l) { return l.first == label.name; });
    if (!has) labels.emplace_back(label.name, label.value);
  }
  std::sort(labels.begin(), labels.end());
  for (const auto& [name, value] : labels) append_label(out, name, value);
}

}  // namespace pipit
