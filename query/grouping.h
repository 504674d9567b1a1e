#pragma once

#include <unordered_map>

#include "query/ast.h"
#include "query/label_set.h"
#include "query/query_context.h"

namespace pipit {

/// The labels by which series are put together: those of `by (...)` and `on (...)`, or all but those of
/// `without (...)` and `ignoring (...)`, where the metric's name never counts.
class Grouping {
 public:
  Grouping(QueryContext& context, const AggregateExpr& aggregate)
      : Grouping(context, aggregate.grouping, aggregate.without) {}
  Grouping(QueryContext& context, const VectorMatching& matching) : Grouping(context, matching.labels, !matching.on) {}

  LabelSet key(const LabelSet& labels) const;

 private:
  Grouping(QueryContext& context, std::span<const std::string> names, bool without)
      : context_(context), names_(intern_all(names, context.symbols())), without_(without) {}

  QueryContext& context_;
  std::vector<SymbolId> names_;
  bool without_;
};

/// Groups in the order of their first series.
template <class Group>
class GroupTable {
 public:
  /// The group with these labels, and whether it is new.
  std::pair<Group*, bool> find_or_add(const LabelSet& key) {
    auto [place, is_new] = places_.try_emplace(key, groups_.size());
    if (is_new) groups_.emplace_back();
    return {&groups_[place->second], is_new};
  }
  /// Null when there is none.
  Group* find(const LabelSet& key) {
    auto place = places_.find(key);
    return place == places_.end() ? nullptr : &groups_[place->second];
  }
  std::vector<Group>& groups() { return groups_; }

 private:
  std::unordered_map<LabelSet, std::size_t, LabelSetHash> places_;
  std::vector<Group> groups_;
};

}  // namespace pipit
