#pragma once

#include "query/engine.h"
#include "query/operator.h"
#include "query/query_context.h"
#include "query/sample_stream.h"
#include "query/scalar_column.h"

namespace pipit {

// From running operators to a QueryResult: names are dropped here, and rows that have become one series are united.
// Samples of the answer count against the query's limit. A failure shows in the context.

/// An instant query's vector, in the order in which it was evaluated.
void collect_vector(QueryContext& context, Operator& root, const StepGrid& grid, QueryResult& result);
/// A range query's matrix, sorted by labels.
void collect_matrix(QueryContext& context, Operator& root, const StepGrid& grid, QueryResult& result);
/// A range vector's samples, sorted by labels: the answer to an instant query for `foo[5m]`.
void collect_samples(QueryContext& context, SampleStream& stream, QueryResult& result);
/// One series without labels.
void collect_scalar(const ScalarColumn& scalar, const StepGrid& grid, QueryResult& result);

}  // namespace pipit
