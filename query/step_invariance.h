#pragma once

#include "query/ast.h"

namespace pipit {

/// Whether an expression has the same value at every step, as `@` fixes all that it selects: it is then computed once.
bool is_step_invariant(const Expr& expr);

/// Whether the rows of an evaluation over several steps may repeat labels, each row having other steps.
bool may_repeat_labels(const Expr& expr);

/// Whether rows with the same labels may be of both kinds: with a name that stays, and with one that goes. `or` makes
/// them, as of `x or rate(x[5m])`.
bool may_mix_names(const Expr& expr);

/// The first operand or argument that is made of series; null when there is none.
const Expr* first_series_operand(const Expr& expr);

/// The expression without the parentheses around it.
const Expr& without_parens(const Expr& expr);

}  // namespace pipit
