#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/matcher.h"
#include "model/result.h"
#include "query/ast.h"

namespace pipit {

/// Parses and type-checks a PromQL expression of Prometheus 3.14.
/// Errors are bad_data in Prometheus's wording: `1:5: parse error: unexpected ...`, `invalid parameter "query"`
/// being the caller's to add. Depth is bounded: nesting over 1,000 levels (kMaxQueryDepth) is an error.
Result<ExprPtr> parse_query(std::string_view text);

/// A series selector alone, as in `match[]`: `up`, `{job="x"}`.
Result<std::vector<Matcher>> parse_metric_selector(std::string_view text);

inline constexpr int kMaxQueryDepth = 1000;

/// The expression as PromQL text, in Prometheus's one-line form.
std::string to_string(const Expr& expr);

}  // namespace pipit
