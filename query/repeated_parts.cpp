#include "query/repeated_parts.h"

#include "query/function_table.h"
#include "query/printer.h"
#include "query/step_invariance.h"

namespace pipit {
namespace {

/// 2 means two or more.
int count_selectors(const Expr& expr) {
  if (expr.as<VectorSelector>()) return 1;
  int selectors = 0;
  for_each_child(expr, [&](const Expr& child) {
    if (selectors < 2) selectors += count_selectors(child);
  });
  return selectors;
}

/// What an expression says apart from its operands.
std::string own_text(const Expr& expr) {
  std::string text;
  Printer printer(text);
  if (const auto* aggregate = expr.as<AggregateExpr>()) {
    printer.print_operator(*aggregate);
    text += '(';
  } else if (const auto* binary = expr.as<BinaryExpr>()) {
    printer.print_operator(*binary);
  } else if (const auto* call = expr.as<Call>()) {
    text.append(call->function->name) += '(';
  } else if (const auto* unary = expr.as<UnaryExpr>()) {
    text += unary->negative ? '-' : '+';
  } else if (const auto* subquery = expr.as<SubqueryExpr>()) {
    printer.print_suffix(*subquery);
  } else {
    printer.print(expr);
  }
  return text;
}

}  // namespace

RepeatedParts::RepeatedParts(const Expr& query) {
  if (count_selectors(query) < 2) return;
  identify(query);
  ids_.clear();
  count(query);
}

std::uint32_t RepeatedParts::identify(const Expr& expr) {
  const Expr& inner = without_parens(expr);
  std::string text = own_text(inner);
  for_each_child(inner, [&](const Expr& child) { text.append("\n").append(std::to_string(identify(child))); });
  const auto [entry, is_new] = ids_.try_emplace(std::move(text), static_cast<std::uint32_t>(uses_.size()));
  if (is_new) uses_.push_back(0);
  id_of_.emplace(&inner, entry->second);
  return entry->second;
}

void RepeatedParts::count(const Expr& expr) {
  const Expr& inner = without_parens(expr);
  if (++uses_[id_of_.at(&inner)] > 1) return;
  for_each_child(inner, [&](const Expr& child) { count(child); });
}

RepeatedParts::Part RepeatedParts::find(const Expr& expr) const {
  const auto found = id_of_.find(&without_parens(expr));
  if (found == id_of_.end() || uses_[found->second] < 2 || count_selectors(expr) == 0) return {};
  return {found->second, uses_[found->second]};
}

}  // namespace pipit
