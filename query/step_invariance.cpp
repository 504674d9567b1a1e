#include "query/step_invariance.h"

#include <algorithm>

#include "query/function_table.h"

namespace pipit {
namespace {

bool all_invariant(const std::vector<ExprPtr>& exprs) {
  return std::all_of(exprs.begin(), exprs.end(), [](const ExprPtr& e) { return is_step_invariant(*e); });
}

bool call_is_invariant(const Call& call) {
  std::string_view name = call.function->name;
  // They tell the evaluation time whatever their arguments are.
  if (name == "time" || name == "timestamp" || name == "predict_linear") return false;
  // The second argument of info() is no selector of its own: it is read as of the first one's time.
  if (name == "info") return is_step_invariant(*call.args[0]);
  // Calendar functions without an argument mean now.
  constexpr std::string_view kConstants[] = {"pi", "start", "end", "step", "range"};
  if (call.args.empty()) return std::find(std::begin(kConstants), std::end(kConstants), name) != std::end(kConstants);
  return all_invariant(call.args);
}

}  // namespace

const Expr& without_parens(const Expr& expr) {
  const Expr* inner = &expr;
  while (const auto* paren = inner->as<ParenExpr>()) inner = paren->expr.get();
  return *inner;
}

bool is_step_invariant(const Expr& expr) {
  if (expr.as<NumberLiteral>() || expr.as<StringLiteral>()) return true;
  if (const auto* e = expr.as<VectorSelector>()) return e->at.kind != AtModifier::Kind::none;
  if (const auto* e = expr.as<MatrixSelector>()) return is_step_invariant(*e->selector);
  if (const auto* e = expr.as<SubqueryExpr>()) return e->at.kind != AtModifier::Kind::none;
  if (const auto* e = expr.as<AggregateExpr>()) {
    return is_step_invariant(*e->expr) && (!e->param || is_step_invariant(*e->param));
  }
  if (const auto* e = expr.as<Call>()) return call_is_invariant(*e);
  if (const auto* e = expr.as<BinaryExpr>()) return is_step_invariant(*e->lhs) && is_step_invariant(*e->rhs);
  if (const auto* e = expr.as<UnaryExpr>()) return is_step_invariant(*e->expr);
  return is_step_invariant(without_parens(expr));
}

const Expr* first_series_operand(const Expr& expr) {
  if (const auto* e = expr.as<MatrixSelector>()) return e->selector.get();
  if (const auto* e = expr.as<SubqueryExpr>()) return e->expr.get();
  if (const auto* e = expr.as<AggregateExpr>()) return e->expr.get();
  if (const auto* e = expr.as<UnaryExpr>()) return e->expr.get();
  if (const auto* e = expr.as<ParenExpr>()) return e->expr.get();
  if (const auto* e = expr.as<BinaryExpr>()) return e->lhs->type == ValueType::scalar ? e->rhs.get() : e->lhs.get();
  if (const auto* e = expr.as<Call>()) {
    for (const auto& arg : e->args) {
      if (arg->type == ValueType::instant_vector || arg->type == ValueType::range_vector) return arg.get();
    }
  }
  return nullptr;
}

bool may_repeat_labels(const Expr& expr) {
  if (const auto* e = expr.as<Call>()) {
    std::string_view name = e->function->name;
    if (name == "label_replace" || name == "label_join" || name == "histogram_quantiles" || name == "info") return true;
    return std::any_of(e->args.begin(), e->args.end(), [](const ExprPtr& arg) {
      return arg->type == ValueType::instant_vector && may_repeat_labels(*arg);
    });
  }
  if (const auto* e = expr.as<BinaryExpr>()) {
    if (e->op == BinaryOp::land || e->op == BinaryOp::lunless) return may_repeat_labels(*e->lhs);
    return e->matching.has_value() || may_repeat_labels(*e->lhs) || may_repeat_labels(*e->rhs);
  }
  if (const auto* e = expr.as<UnaryExpr>()) return may_repeat_labels(*e->expr);
  if (const auto* e = expr.as<ParenExpr>()) return may_repeat_labels(*e->expr);
  if (const auto* e = expr.as<AggregateExpr>()) return may_repeat_labels(*e->expr);
  return false;
}

bool may_mix_names(const Expr& expr) {
  if (const auto* e = expr.as<Call>()) {
    return std::any_of(e->args.begin(), e->args.end(), [](const ExprPtr& arg) {
      return arg->type == ValueType::instant_vector && may_mix_names(*arg);
    });
  }
  if (const auto* e = expr.as<BinaryExpr>()) {
    if (e->op == BinaryOp::lor) return true;
    if (e->op == BinaryOp::land || e->op == BinaryOp::lunless) return may_mix_names(*e->lhs);
    return may_mix_names(*e->lhs) || may_mix_names(*e->rhs);
  }
  if (const auto* e = expr.as<UnaryExpr>()) return may_mix_names(*e->expr);
  if (const auto* e = expr.as<ParenExpr>()) return may_mix_names(*e->expr);
  if (const auto* e = expr.as<AggregateExpr>()) {
    const bool selects = e->op == AggregateOp::topk || e->op == AggregateOp::bottomk || e->op == AggregateOp::limitk ||
                         e->op == AggregateOp::limit_ratio;
    return selects && may_mix_names(*e->expr);
  }
  return false;
}

}  // namespace pipit
