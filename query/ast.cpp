#include "query/ast.h"

#include <array>
#include <utility>

namespace pipit {
namespace {

/// Moves what an expression owns into a list.
class TakeOperands {
 public:
  explicit TakeOperands(std::vector<ExprPtr>& taken) : taken_(taken) {}

  void operator()(NumberLiteral&) {}
  void operator()(StringLiteral&) {}
  void operator()(VectorSelector& e) { take(e.offset.expr); }
  void operator()(MatrixSelector& e) { take(e.selector, e.range.expr); }
  void operator()(SubqueryExpr& e) { take(e.expr, e.range.expr, e.step.expr, e.offset.expr); }
  void operator()(AggregateExpr& e) { take(e.param, e.expr); }
  void operator()(BinaryExpr& e) { take(e.lhs, e.rhs); }
  void operator()(UnaryExpr& e) { take(e.expr); }
  void operator()(ParenExpr& e) { take(e.expr); }
  void operator()(Call& e) {
    for (ExprPtr& argument : e.args) take(argument);
  }

 private:
  template <class... Pointers>
  void take(Pointers&... pointers) {
    for (ExprPtr* pointer : {&pointers...}) {
      if (*pointer) taken_.push_back(std::move(*pointer));
    }
  }
  std::vector<ExprPtr>& taken_;
};

}  // namespace

Expr::~Expr() {
  std::vector<ExprPtr> waiting;
  std::visit(TakeOperands(waiting), node);
  while (!waiting.empty()) {
    ExprPtr next = std::move(waiting.back());
    waiting.pop_back();
    std::visit(TakeOperands(waiting), next->node);
  }
}

std::string_view value_type_name(ValueType type) {
  switch (type) {
    case ValueType::scalar:
      return "scalar";
    case ValueType::instant_vector:
      return "instant vector";
    case ValueType::range_vector:
      return "range vector";
    case ValueType::string:
      return "string";
  }
  return "";
}

std::string_view binary_op_text(BinaryOp op) {
  static constexpr std::array<std::string_view, 18> kTexts = {
      "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "and", "or", "unless", "</", ">/"};
  return kTexts[static_cast<std::size_t>(op)];
}

bool is_comparison(BinaryOp op) { return op >= BinaryOp::eq && op <= BinaryOp::ge; }

bool trims_histograms(BinaryOp op) { return op == BinaryOp::trim_upper || op == BinaryOp::trim_lower; }

bool is_set_operator(BinaryOp op) { return op >= BinaryOp::land && op <= BinaryOp::lunless; }

std::string_view aggregate_op_text(AggregateOp op) {
  static constexpr std::array<std::string_view, 14> kTexts = {
      "sum",    "avg",  "count",   "min",          "max",      "group",  "stddev",
      "stdvar", "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"};
  return kTexts[static_cast<std::size_t>(op)];
}

}  // namespace pipit
