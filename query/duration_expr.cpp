#include "query/duration_expr.h"

#include <algorithm>
#include <cmath>

#include "query/function_table.h"
#include "query/step_grid.h"
#include "query/step_invariance.h"

namespace pipit {
namespace {

/// In Prometheus's words. The position is in bytes, which is its way of telling it here.
Error refusal(const Expr& expr, const char* why) {
  return bad_data(std::to_string(expr.position.start) + ":" + std::to_string(expr.position.end) + ": " + why);
}

Result<double> seconds_of(const Expr& expr, const QueryRequest& request);

Result<double> seconds_of_call(const Call& call, const QueryRequest& request) {
  std::string_view name = call.function->name;
  if (name == "step") return static_cast<double>(request.step) / 1000;
  if (name == "range") return static_cast<double>(request.end - request.start) / 1000;
  auto a = seconds_of(*call.args[0], request);
  if (!a.ok()) return a;
  auto b = seconds_of(*call.args[1], request);
  if (!b.ok()) return b;
  return name == "min_of" ? std::min(*a, *b) : std::max(*a, *b);
}

Result<double> seconds_of_binary(const Expr& expr, const BinaryExpr& binary, const QueryRequest& request) {
  auto a = seconds_of(*binary.lhs, request);
  if (!a.ok()) return a;
  auto b = seconds_of(*binary.rhs, request);
  if (!b.ok()) return b;
  switch (binary.op) {
    case BinaryOp::add:
      return *a + *b;
    case BinaryOp::sub:
      return *a - *b;
    case BinaryOp::mul:
      return *a * *b;
    case BinaryOp::div:
      if (*b == 0) return refusal(expr, "division by zero");
      return *a / *b;
    case BinaryOp::mod:
      if (*b == 0) return refusal(expr, "modulo by zero");
      return std::fmod(*a, *b);
    case BinaryOp::pow:
      return std::pow(*a, *b);
    default:
      return execution_error("unexpected operator in a duration: " + std::string(binary_op_text(binary.op)));
  }
}

Result<double> seconds_of(const Expr& expr, const QueryRequest& request) {
  if (const auto* e = expr.as<NumberLiteral>()) return e->value;
  if (const auto* e = expr.as<ParenExpr>()) return seconds_of(*e->expr, request);
  if (const auto* e = expr.as<Call>()) return seconds_of_call(*e, request);
  if (const auto* e = expr.as<BinaryExpr>()) return seconds_of_binary(expr, *e, request);
  if (const auto* e = expr.as<UnaryExpr>()) {
    auto inner = seconds_of(*e->expr, request);
    if (!inner.ok() || !e->negative) return inner;
    return -*inner;
  }
  return execution_error("unexpected expression in a duration");
}

}  // namespace

Result<DurationMs> evaluate_duration(const DurationExpr& duration, const QueryRequest& request) {
  if (!duration.expr) return duration.constant;
  auto seconds = seconds_of(*duration.expr, request);
  if (!seconds.ok()) return seconds.error();
  constexpr double kLimit = static_cast<double>(kFarAway) / 1000;
  if (!std::isfinite(*seconds)) return refusal(*duration.expr, "duration is NaN or infinite");
  if (!(std::fabs(*seconds) < kLimit)) return refusal(*duration.expr, "duration is out of range");
  return static_cast<DurationMs>(*seconds * 1000);
}

Result<DurationMs> evaluate_positive_duration(const DurationExpr& duration, const QueryRequest& request) {
  auto value = evaluate_duration(duration, request);
  if (!value.ok() || *value > 0) return value;
  constexpr const char* kWhy = "duration must be greater than 0";
  return duration.expr ? refusal(without_parens(*duration.expr), kWhy) : bad_data(kWhy);
}

Status check_durations(const Expr& expr, const QueryRequest& request) {
  Status status;
  const auto check = [&](const Result<DurationMs>& duration) {
    if (status.ok() && !duration.ok()) status = duration.error();
  };
  if (const auto* selector = expr.as<VectorSelector>()) check(evaluate_duration(selector->offset, request));
  if (const auto* matrix = expr.as<MatrixSelector>()) check(evaluate_positive_duration(matrix->range, request));
  if (const auto* subquery = expr.as<SubqueryExpr>()) {
    check(evaluate_duration(subquery->offset, request));
    if (subquery->step.expr) check(evaluate_positive_duration(subquery->step, request));
    check(evaluate_positive_duration(subquery->range, request));
  }
  for_each_child(expr, [&](const Expr& child) {
    if (status.ok()) status = check_durations(child, request);
  });
  return status;
}

}  // namespace pipit
