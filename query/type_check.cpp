#include "query/type_check.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/labels.h"
#include "query/function_table.h"

namespace pipit {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

bool is_operand_type(ValueType type) { return type == ValueType::scalar || type == ValueType::instant_vector; }

// The names of types inside Prometheus, which one of its messages shows.
std::string_view internal_type_name(ValueType type) {
  switch (type) {
    case ValueType::instant_vector:
      return "vector";
    case ValueType::range_vector:
      return "matrix";
    default:
      return value_type_name(type);
  }
}

class TypeChecker {
 public:
  explicit TypeChecker(std::string_view query) : query_(query) {}

  // The recursion is bounded by Expr::height. Functions that recurse have small frames: what builds a message is kept
  // out of line.
  void check(Expr& expr) {
    if (expr.as<BinaryExpr>() != nullptr) return check_chain(expr);
    if (auto* call = expr.as<Call>()) return check_call(expr, *call);
    if (auto* aggregate = expr.as<AggregateExpr>()) return check_aggregate(*aggregate);
    if (auto* paren = expr.as<ParenExpr>()) return check(*paren->expr);
    if (auto* matrix = expr.as<MatrixSelector>()) return check(*matrix->selector);
    if (auto* selector = expr.as<VectorSelector>()) return check_selector(expr, *selector);
    if (auto* subquery = expr.as<SubqueryExpr>()) {
      check(*subquery->expr);
      if (subquery->expr->type != ValueType::instant_vector) fail_subquery(expr, *subquery);
    }
    if (auto* unary = expr.as<UnaryExpr>()) {
      check(*unary->expr);
      if (!is_operand_type(unary->expr->type)) fail_unary(expr, *unary);
    }
  }

 private:
  [[noreturn]] static void fail(PositionRange at, std::string message) { throw SyntaxError{at, std::move(message)}; }

  [[noreturn, gnu::noinline]] static void fail_subquery(const Expr& expr, const SubqueryExpr& subquery) {
    std::string message = "subquery is only allowed on instant vector, got ";
    fail(expr.position, message.append(internal_type_name(subquery.expr->type)).append(" instead"));
  }

  [[noreturn, gnu::noinline]] static void fail_unary(const Expr& expr, const UnaryExpr& unary) {
    fail(expr.position, "unary expression only allowed on expressions of type scalar or instant vector, got " +
                            quoted(value_type_name(unary.expr->type)));
  }

  [[noreturn, gnu::noinline]] static void fail_type(const Expr& expr, ValueType wanted, std::string_view where,
                                                    std::string_view function) {
    std::string message = "expected type ";
    message.append(value_type_name(wanted)).append(" in ").append(where);
    if (!function.empty()) append_quoted(message, function);
    fail(expr.position, message.append(", got ").append(value_type_name(expr.type)));
  }

  /// Operators that lean to the left: from the first to the last, without recursion.
  [[gnu::noinline]] void check_chain(Expr& expr) {
    std::vector<Expr*> chain;
    Expr* first = &expr;
    for (; first->as<BinaryExpr>() != nullptr; first = first->as<BinaryExpr>()->lhs.get()) chain.push_back(first);
    check(*first);
    for (; !chain.empty(); chain.pop_back()) {
      auto& binary = *chain.back()->as<BinaryExpr>();
      check(*binary.rhs);
      check_binary(*chain.back(), binary);
    }
  }

  [[gnu::noinline]] static void check_selector(const Expr& expr, const VectorSelector& selector) {
    if (!selector.metric.empty()) {
      // The last matcher is that of the name before the braces.
      for (const auto& matcher : std::span(selector.matchers).first(selector.matchers.size() - 1)) {
        if (matcher.name() != kMetricName) continue;
        fail(expr.position,
             "metric name must not be set twice: " + quoted(selector.metric) + " or " + quoted(matcher.value()));
      }
    } else if (std::ranges::all_of(selector.matchers, &Matcher::matches_empty)) {
      fail(expr.position, "vector selector must contain at least one non-empty matcher");
    }
  }

  void expect_type(Expr& expr, ValueType wanted, std::string_view where, std::string_view function = {}) {
    check(expr);
    if (expr.type != wanted) fail_type(expr, wanted, where, function);
  }

  void check_aggregate(AggregateExpr& aggregate) {
    expect_type(*aggregate.expr, ValueType::instant_vector, "aggregation expression");
    if (!aggregate.param) return;
    bool names_label = aggregate.op == AggregateOp::count_values;
    expect_type(*aggregate.param, names_label ? ValueType::string : ValueType::scalar, "aggregation parameter");
  }

  [[gnu::noinline]] static void check_argument_count(const Expr& expr, const Call& call) {
    const auto& function = *call.function;
    auto wanted = static_cast<int>(function.arg_types.size());
    auto got = static_cast<int>(call.args.size());
    auto complain = [&](std::string_view how, int count) {
      std::string message = "expected ";
      message.append(how).append(std::to_string(count)).append(" argument(s) in call to ");
      fail(expr.position, message + quoted(function.name) + ", got " + std::to_string(got));
    };
    if (function.variadic == 0) {
      if (got != wanted) complain("", wanted);
    } else if (got < wanted - 1) {
      complain("at least ", wanted - 1);
    } else if (function.variadic > 0 && got > wanted - 1 + function.variadic) {
      complain("at most ", wanted - 1 + function.variadic);
    }
  }

  /// The second argument of info() is a bare set of matchers, which may match everything.
  [[gnu::noinline]] static void check_info_matchers(const Expr& call, const Expr& argument) {
    if (argument.type != ValueType::instant_vector) {
      std::string message = "expected type instant vector in call to function \"info\", got ";
      fail(call.position, message.append(value_type_name(argument.type)));
    }
    const auto* selector = argument.as<VectorSelector>();
    if (selector == nullptr) fail(argument.position, "expected label selectors only");
    if (!selector->metric.empty()) {
      fail(argument.position, "expected label selectors only, got vector selector instead");
    }
  }

  void check_call(Expr& expr, Call& call) {
    check_argument_count(expr, call);
    const auto& function = *call.function;
    bool is_info = function.name == "info";
    if (is_info && call.args.size() > 1) check_info_matchers(expr, *call.args[1]);
    for (std::size_t i = 0; i < call.args.size(); ++i) {
      if (is_info && i == 1) continue;
      auto wanted = function.arg_types[std::min(i, function.arg_types.size() - 1)];
      expect_type(*call.args[i], wanted, "call to function ", function.name);
    }
  }

  /// Where the operator stands: behind its left operand and the blanks.
  PositionRange operator_position(const BinaryExpr& binary) const {
    auto start = binary.lhs->position.end;
    while (start < query_.size() && std::string_view(" \t\n\r").find(query_[start]) != std::string_view::npos) ++start;
    return {start, binary.rhs->position.start};
  }

  [[gnu::noinline]] void check_binary(const Expr& expr, BinaryExpr& binary) const {
    const auto& lhs = *binary.lhs;
    const auto& rhs = *binary.rhs;
    if (binary.return_bool && !is_comparison(binary.op)) {
      fail(operator_position(binary), "bool modifier can only be used on comparison operators");
    }
    if (is_comparison(binary.op) && !binary.return_bool && expr.type == ValueType::scalar) {
      fail(operator_position(binary), "comparisons between scalars must use BOOL modifier");
    }
    check_included_labels(binary);
    for (const auto* side : {&lhs, &rhs}) {
      if (is_operand_type(side->type)) continue;
      fail(side->position, "binary expression must contain only scalar and instant vector types");
    }
    if (lhs.type == ValueType::instant_vector && rhs.type == ValueType::instant_vector) {
      if (is_set_operator(binary.op)) check_set_operator(expr, binary);
      return;
    }
    if (!binary.matching->labels.empty()) {
      fail(expr.position, "vector matching only allowed between instant vectors");
    }
    if (has_fill(binary)) fail(expr.position, "filling in missing series only allowed between instant vectors");
    binary.matching.reset();
    if (is_set_operator(binary.op)) {
      fail(expr.position,
           "set operator " + quoted(binary_op_text(binary.op)) + " not allowed in binary scalar expression");
    }
  }

  void check_included_labels(const BinaryExpr& binary) const {
    const auto& matching = *binary.matching;
    if (!matching.on || matching.include.empty()) return;
    // Sorted, as both lists may be long.
    auto included = matching.include;
    std::ranges::sort(included);
    for (const auto& name : matching.labels) {
      if (!std::ranges::binary_search(included, name)) continue;
      fail(operator_position(binary), "label " + quoted(name) + " must not occur in ON and GROUP clause at once");
    }
  }

  static bool has_fill(const BinaryExpr& binary) { return binary.matching->fill_left || binary.matching->fill_right; }

  static void check_set_operator(const Expr& expr, BinaryExpr& binary) {
    auto& matching = *binary.matching;
    if (matching.cardinality != MatchCardinality::one_to_one) {
      fail(expr.position, "no grouping allowed for " + quoted(binary_op_text(binary.op)) + " operation");
    }
    matching.cardinality = MatchCardinality::many_to_many;
    if (has_fill(binary)) fail(expr.position, "filling in missing series not allowed for set operators");
  }

  std::string_view query_;
};

}  // namespace

std::optional<SyntaxError> check_types(std::string_view query, Expr& expr) {
  try {
    TypeChecker(query).check(expr);
  } catch (SyntaxError& error) {
    return std::move(error);
  }
  return {};
}

}  // namespace pipit
