#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "model/matcher.h"
#include "model/sample.h"

namespace pipit {

/// The types of PromQL.
enum class ValueType { scalar, instant_vector, range_vector, string };
/// "scalar", "instant vector", "range vector", "string": as error messages name them.
std::string_view value_type_name(ValueType type);

/// Byte offsets into the query text, end exclusive.
struct PositionRange {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class BinaryOp {
  add,
  sub,
  mul,
  div,
  mod,
  pow,
  atan2,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  land,
  lor,
  lunless,
  // `</` and `>/`: a native histogram without its observations above or below
  trim_upper,
  trim_lower,
};
std::string_view binary_op_text(BinaryOp op);
bool is_comparison(BinaryOp op);
bool is_set_operator(BinaryOp op);
/// `</` and `>/`, which cut buckets off native histograms.
bool trims_histograms(BinaryOp op);

enum class AggregateOp {
  sum,
  avg,
  count,
  min,
  max,
  group,
  stddev,
  stdvar,
  topk,
  bottomk,
  count_values,
  quantile,
  limitk,
  limit_ratio,
};
std::string_view aggregate_op_text(AggregateOp op);

/// A duration as written: a constant, or an expression over constants, step() and range() (`foo[5m*2]`,
/// `offset (1h - step())`), which the engine evaluates to milliseconds when it knows the step and range. `expr` is
/// made of NumberLiterals (seconds), ParenExprs, negative UnaryExprs, BinaryExprs with an arithmetic operator (not
/// atan2, `matching` never set) and Calls of step, range, min_of and max_of.
struct DurationExpr {
  DurationMs constant = 0;  ///< counts when `expr` is null
  ExprPtr expr;
};

/// How `@` fixes the time of a selector or subquery.
struct AtModifier {
  enum class Kind { none, timestamp, start, end } kind = Kind::none;
  TimestampMs timestamp = 0;  ///< with Kind::timestamp
};

enum class RangeExtension { none, anchored, smoothed };

struct NumberLiteral {
  double value = 0;
  bool is_duration = false;  ///< written as a duration (`5m` as a number)
};
struct StringLiteral {
  std::string value;
};
struct VectorSelector {
  std::string metric;             ///< "" when only matchers were written
  std::vector<Matcher> matchers;  ///< all of them, the metric's name included
  DurationExpr offset;
  AtModifier at;
  RangeExtension extension = RangeExtension::none;
};
struct MatrixSelector {
  ExprPtr selector;  ///< a VectorSelector
  DurationExpr range;
};
struct SubqueryExpr {
  ExprPtr expr;
  DurationExpr range;
  DurationExpr step;  ///< constant 0 without expression: the engine's default step
  DurationExpr offset;
  AtModifier at;
};
struct AggregateExpr {
  AggregateOp op = AggregateOp::sum;
  ExprPtr param;  ///< of topk, quantile, count_values...; else null
  ExprPtr expr;
  std::vector<std::string> grouping;
  bool without = false;
};
struct FunctionSpec;  // query/function_table.h
struct Call {
  const FunctionSpec* function = nullptr;
  std::vector<ExprPtr> args;
};

enum class MatchCardinality { one_to_one, many_to_one, one_to_many, many_to_many };
struct VectorMatching {
  MatchCardinality cardinality = MatchCardinality::one_to_one;
  std::vector<std::string> labels;
  bool on = false;
  std::vector<std::string> include;  ///< labels in group_left/group_right(...)
  std::optional<double> fill_left;   ///< fill, fill_left
  std::optional<double> fill_right;  ///< fill, fill_right
};
struct BinaryExpr {
  BinaryOp op = BinaryOp::add;
  ExprPtr lhs;
  ExprPtr rhs;
  bool return_bool = false;
  std::optional<VectorMatching> matching;  ///< set when both sides are vectors
};
struct UnaryExpr {
  bool negative = false;
  ExprPtr expr;
};
struct ParenExpr {
  ExprPtr expr;
};

/// A node of a parsed and type-checked query.
struct Expr {
  Expr() = default;
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;
  /// Takes what is below apart in a loop: to destroy a deep query costs the thread's stack nothing.
  ~Expr();

  using Node = std::variant<NumberLiteral, StringLiteral, VectorSelector, MatrixSelector, SubqueryExpr, AggregateExpr,
                            Call, BinaryExpr, UnaryExpr, ParenExpr>;
  Node node;
  ValueType type = ValueType::scalar;
  PositionRange position;
  /// Nodes on the longest way down, this one included; at most kMaxQueryDepth, so that walking a query by recursion
  /// is safe.
  std::uint32_t height = 1;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&node);
  }
  template <class T>
  T* as() {
    return std::get_if<T>(&node);
  }
};

/// Calls `visit` with every operand and argument of an expression, from left to right; with a range selector's instant
/// selector too, but not with durations.
template <class AnyExpr, class Visit>
  requires std::is_same_v<std::remove_const_t<AnyExpr>, Expr>
void for_each_child(AnyExpr& expr, Visit visit) {
  const auto child = [&](const ExprPtr& e) {
    if (e) visit(static_cast<AnyExpr&>(*e));
  };
  if (const auto* matrix = expr.template as<MatrixSelector>()) child(matrix->selector);
  if (const auto* subquery = expr.template as<SubqueryExpr>()) child(subquery->expr);
  if (const auto* unary = expr.template as<UnaryExpr>()) child(unary->expr);
  if (const auto* paren = expr.template as<ParenExpr>()) child(paren->expr);
  if (const auto* aggregate = expr.template as<AggregateExpr>()) {
    child(aggregate->param);
    child(aggregate->expr);
  }
  if (const auto* binary = expr.template as<BinaryExpr>()) {
    child(binary->lhs);
    child(binary->rhs);
  }
  if (const auto* call = expr.template as<Call>()) {
    for (const ExprPtr& argument : call->args) child(argument);
  }
}

}  // namespace pipit
