#pragma once

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

  /// Good until the next call.
  const LabelSet& key(const LabelSet& labels);

 private:
  Grouping(QueryContext& context, std::span<const std::string> names, bool without)
      : context_(context), names_(intern_all(names, context.symbols())), without_(without) {}

  QueryContext& context_;
  std::vector<SymbolId> names_;
  bool without_;
  LabelSet key_;
};

}  // namespace pipit
