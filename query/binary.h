#pragma once

#include "query/ast.h"
#include "query/operator.h"
#include "query/query_context.h"
#include "query/scalar_column.h"

namespace pipit {

/// `a op b` for every step. A comparison gives 1 or 0.
ScalarColumn combine_scalars(BinaryOp op, const ScalarColumn& a, const ScalarColumn& b);

/// min_of and max_of: NaN when either is.
ScalarColumn extreme_of_scalars(const ScalarColumn& a, const ScalarColumn& b, bool maximum);

enum class ScalarSide { left, right };
/// A vector and a scalar, in place. A comparison without `bool` filters, and keeps the vector's value.
OperatorPtr make_vector_scalar_binary(const BinaryExpr& binary, OperatorPtr vector, const ScalarColumn& scalar,
                                      ScalarSide side, const StepGrid& grid);

/// Two vectors, matched by labels; arithmetic and comparisons. Holds the "one" side, streams the other.
OperatorPtr make_vector_binary(QueryContext& context, const BinaryExpr& binary, OperatorPtr left, OperatorPtr right,
                               const StepGrid& grid);

/// and, or, unless. Holds masks only.
OperatorPtr make_set_operator(QueryContext& context, const BinaryExpr& binary, OperatorPtr left, OperatorPtr right);

/// Unary minus.
OperatorPtr make_negate(OperatorPtr input);

/// Computes `a[i] op b[i]` into `out`, which may be one of them. A comparison writes 1 or 0 with `return_bool`, else
/// `kept[i]`, and clears the bits of `mask` where it does not hold.
void combine_cells(BinaryOp op, bool return_bool, const double* a, const double* b, const double* kept, double* out,
                   MaskWord* mask, std::size_t steps);

/// Whether the result is another metric than its operands were.
inline bool drops_name(const BinaryExpr& binary) { return !is_comparison(binary.op) || binary.return_bool; }

}  // namespace pipit
