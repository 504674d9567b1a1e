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
/// being the caller's to add. A tree higher than kMaxQueryDepth is an error.
Result<ExprPtr> parse_query(std::string_view text);

/// A series selector alone, as in `match[]`: `up`, `{job="x"}`.
Result<std::vector<Matcher>> parse_metric_selector(std::string_view text);

/// Levels of operators, calls, parentheses and selectors; `a + b + c` has three. What walks a query by recursion has
/// 4 KB a level on a thread with 2 MB of stack.
inline constexpr int kMaxQueryDepth = 500;
/// A query of more tokens is an error. Each may take half a kilobyte of a tree, and a line behind a thousand blanks
/// when a query is printed prettily; texts in quotes may be as long as they like.
inline constexpr std::size_t kMaxQueryTokens = 100'000;

/// The expression as PromQL text, in Prometheus's one-line form.
std::string to_string(const Expr& expr);

/// The same for people, as Prometheus formats it: what takes more than 100 bytes is broken into indented lines.
std::string prettify(const Expr& expr);

}  // namespace pipit
