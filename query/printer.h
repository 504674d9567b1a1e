#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "query/ast.h"

namespace pipit {

/// Appends a query's text, in the form of Prometheus. What is printed parses to a query that prints the same.
class Printer {
 public:
  explicit Printer(std::string& out) : out_(out) {}

  void print(const Expr& expr);

  // What stands before or behind an expression's operands.
  void print_operator(const BinaryExpr& binary);        ///< `+ on (job) group_left ()`
  void print_operator(const AggregateExpr& aggregate);  ///< `sum by (job) `
  void print_suffix(const SubqueryExpr& subquery);      ///< `[1h:5m] offset 1d`

 private:
  void print(const NumberLiteral& number);
  void print(const StringLiteral& string);
  void print(const ParenExpr& paren);
  void print(const UnaryExpr& unary);
  void print(const Call& call);
  void print(const BinaryExpr& binary);
  void print(const AggregateExpr& aggregate);
  void print(const VectorSelector& selector);
  void print(const MatrixSelector& matrix);
  void print(const SubqueryExpr& subquery);
  void print_matching(const VectorMatching& matching);
  void print_fill(std::string_view opening, double value);
  void print_labels(std::string_view opening, const std::vector<std::string>& labels);
  void print_series(const VectorSelector& selector);
  void print_at(const AtModifier& at);
  void print_extension(RangeExtension extension);
  void print_offset(const DurationExpr& offset);
  void print_duration(const DurationExpr& duration);

  std::string& out_;
};

}  // namespace pipit
