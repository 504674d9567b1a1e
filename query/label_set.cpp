#include "query/label_set.h"

#include <algorithm>

#include "model/keyed_hash.h"
#include "model/labels.h"

namespace pipit {

std::size_t LabelSetHash::operator()(const LabelSet& labels) const {
  const HashKey& key = hash_key();
  std::uint64_t h = key.first;
  for (const auto& label : labels) h = fold_product(h ^ (std::uint64_t{label.name} << 32 | label.value), key.second);
  return static_cast<std::size_t>(h);
}

SymbolId get_label(const LabelSet& labels, SymbolId name) {
  for (const auto& label : labels) {
    if (label.name == name) return label.value;
  }
  return 0;
}

void set_label(LabelSet& labels, SymbolId name, SymbolId value, const SymbolTable& symbols) {
  if (value == 0) return remove_label(labels, name);
  auto text = symbols.text(name);
  auto place =
      std::find_if(labels.begin(), labels.end(), [&](const LabelPair& l) { return symbols.text(l.name) >= text; });
  if (place != labels.end() && place->name == name) {
    place->value = value;
  } else {
    labels.insert(place, {name, value});
  }
}

bool labels_less(const LabelSet& a, const LabelSet& b, const SymbolTable& symbols) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i].name != b[i].name) return symbols.text(a[i].name) < symbols.text(b[i].name);
    if (a[i].value != b[i].value) return symbols.text(a[i].value) < symbols.text(b[i].value);
  }
  return a.size() < b.size();
}

std::string labels_text(const LabelSet& labels, const SymbolTable& symbols) {
  std::string out = "{";
  for (const auto& label : labels) {
    if (out.size() > 1) out += ", ";
    auto name = symbols.text(label.name);
    if (is_legacy_label_name(name)) {
      out += name;
    } else {
      append_quoted(out, name);
    }
    out += '=';
    append_quoted(out, symbols.text(label.value));
  }
  return out + "}";
}

std::vector<SymbolId> intern_all(std::span<const std::string> names, SymbolTable& symbols) {
  std::vector<SymbolId> ids;
  ids.reserve(names.size());
  for (const auto& name : names) ids.push_back(symbols.intern(name));
  return ids;
}

}  // namespace pipit
