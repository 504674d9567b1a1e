#include "query/printer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "model/duration.h"
#include "model/labels.h"
#include "model/number.h"
#include "query/function_table.h"
#include "query/parser.h"

namespace pipit {

void Printer::print(const Expr& expr) {
  std::visit([this](const auto& node) { print(node); }, expr.node);
}

void Printer::print(const NumberLiteral& number) {
  if (number.is_duration) {
    out_ += format_duration(std::llround(number.value * 1000));
  } else {
    append_float(out_, number.value);
  }
}

void Printer::print(const StringLiteral& string) { append_quoted(out_, string.value); }

void Printer::print(const ParenExpr& paren) {
  out_ += '(';
  print(*paren.expr);
  out_ += ')';
}

void Printer::print(const UnaryExpr& unary) {
  out_ += unary.negative ? '-' : '+';
  print(*unary.expr);
}

void Printer::print(const Call& call) {
  out_ += call.function->name;
  out_ += '(';
  const char* separator = "";
  for (const auto& argument : call.args) {
    out_ += std::exchange(separator, ", ");
    print(*argument);
  }
  out_ += ')';
}

// A chain of operators leans to the left and may be long: it is printed without recursion.
void Printer::print(const BinaryExpr& binary) {
  std::vector<const BinaryExpr*> chain = {&binary};
  while (const auto* lhs = chain.back()->lhs->as<BinaryExpr>()) chain.push_back(lhs);
  const auto& first = *chain.back();
  const auto* number = first.lhs->as<NumberLiteral>();
  if (first.op == BinaryOp::pow && number != nullptr && std::isinf(number->value)) {
    out_ += "Inf";  // a sign would be taken for that of the power
  } else {
    print(*first.lhs);
  }
  for (; !chain.empty(); chain.pop_back()) {
    out_ += ' ';
    print_operator(*chain.back());
    out_ += ' ';
    print(*chain.back()->rhs);
  }
}

void Printer::print_operator(const BinaryExpr& binary) {
  out_ += binary_op_text(binary.op);
  if (binary.return_bool) out_ += " bool";
  if (binary.matching) print_matching(*binary.matching);
}

void Printer::print_matching(const VectorMatching& matching) {
  bool many_to_one = matching.cardinality == MatchCardinality::many_to_one;
  bool grouped = many_to_one || matching.cardinality == MatchCardinality::one_to_many;
  if (!matching.labels.empty() || matching.on || grouped) {
    print_labels(matching.on ? " on (" : " ignoring (", matching.labels);
  }
  if (grouped) print_labels(many_to_one ? " group_left (" : " group_right (", matching.include);
  if (matching.fill_left && matching.fill_right && *matching.fill_left == *matching.fill_right) {
    print_fill(" fill (", *matching.fill_left);
    return;
  }
  if (matching.fill_left) print_fill(" fill_left (", *matching.fill_left);
  if (matching.fill_right) print_fill(" fill_right (", *matching.fill_right);
}

void Printer::print_fill(std::string_view opening, double value) {
  out_ += opening;
  out_ += format_float_g(value);
  out_ += ')';
}

void Printer::print_labels(std::string_view opening, const std::vector<std::string>& labels) {
  out_ += opening;
  const char* separator = "";
  for (const auto& name : labels) {
    out_ += std::exchange(separator, ", ");
    if (is_legacy_label_name(name)) {
      out_ += name;
    } else {
      append_quoted(out_, name);
    }
  }
  out_ += ')';
}

void Printer::print_operator(const AggregateExpr& aggregate) {
  out_ += aggregate_op_text(aggregate.op);
  if (aggregate.without || !aggregate.grouping.empty()) {
    print_labels(aggregate.without ? " without (" : " by (", aggregate.grouping);
    out_ += ' ';
  }
}

void Printer::print(const AggregateExpr& aggregate) {
  print_operator(aggregate);
  out_ += '(';
  if (aggregate.param) {
    print(*aggregate.param);
    out_ += ", ";
  }
  print(*aggregate.expr);
  out_ += ')';
}

void Printer::print(const VectorSelector& selector) {
  print_series(selector);
  print_at(selector.at);
  print_extension(selector.extension);
  print_offset(selector.offset);
}

void Printer::print(const MatrixSelector& matrix) {
  const auto& selector = *matrix.selector->as<VectorSelector>();
  print_series(selector);
  out_ += '[';
  print_duration(matrix.range);
  out_ += ']';
  print_extension(selector.extension);
  print_at(selector.at);
  print_offset(selector.offset);
}

void Printer::print(const SubqueryExpr& subquery) {
  print(*subquery.expr);
  print_suffix(subquery);
}

void Printer::print_suffix(const SubqueryExpr& subquery) {
  out_ += '[';
  print_duration(subquery.range);
  out_ += ':';
  if (subquery.step.constant != 0 || subquery.step.expr) print_duration(subquery.step);
  out_ += ']';
  print_at(subquery.at);
  print_offset(subquery.offset);
}

void Printer::print_series(const VectorSelector& selector) {
  out_ += selector.metric;
  std::vector<std::string> matchers;
  for (const auto& matcher : selector.matchers) {
    bool is_metric = !selector.metric.empty() && matcher.name() == kMetricName && matcher.type() == MatchType::equal &&
                     matcher.value() == selector.metric;
    if (!is_metric) matchers.push_back(matcher.to_string());
  }
  if (matchers.empty()) {
    if (selector.metric.empty()) out_ += "{}";
    return;
  }
  std::ranges::sort(matchers);
  const char* separator = "{";
  for (const auto& matcher : matchers) {
    out_ += std::exchange(separator, ",");
    out_ += matcher;
  }
  out_ += '}';
}

void Printer::print_at(const AtModifier& at) {
  switch (at.kind) {
    case AtModifier::Kind::none:
      return;
    case AtModifier::Kind::start:
      out_ += " @ start()";
      return;
    case AtModifier::Kind::end:
      out_ += " @ end()";
      return;
    case AtModifier::Kind::timestamp:
      break;
  }
  auto ms = static_cast<unsigned long long>(std::llabs(at.timestamp));
  char text[40];
  std::snprintf(text, sizeof text, " @ %s%llu.%03llu", at.timestamp < 0 ? "-" : "", ms / 1000, ms % 1000);
  out_ += text;
}

void Printer::print_extension(RangeExtension extension) {
  if (extension == RangeExtension::anchored) out_ += " anchored";
  if (extension == RangeExtension::smoothed) out_ += " smoothed";
}

void Printer::print_offset(const DurationExpr& offset) {
  if (offset.constant == 0 && !offset.expr) return;
  out_ += " offset ";
  print_duration(offset);
}

void Printer::print_duration(const DurationExpr& duration) {
  if (duration.expr) {
    print(*duration.expr);
  } else {
    out_ += format_duration(duration.constant);
  }
}

std::string to_string(const Expr& expr) {
  std::string out;
  Printer(out).print(expr);
  return out;
}

}  // namespace pipit
