#include <unordered_map>

#include "query/function_table.h"
#include "query/parser.h"
#include "query/printer.h"

namespace pipit {
namespace {

/// Breaks long expressions into lines, where Prometheus breaks them. Source: Prometheus, promql/parser/prettier.go.
class Prettifier {
 public:
  explicit Prettifier(std::string& out) : out_(out) {}

  /// Appends the expression, its lines indented by so many levels.
  void print(const Expr& expr, int level) {
    // Of a subquery, upstream indents what it is made of only.
    const auto* subquery = expr.as<SubqueryExpr>();
    if (!is_long(expr)) {
      if (subquery == nullptr) indent(level);
      Printer(out_).print(expr);
      return;
    }
    if (const auto* e = expr.as<AggregateExpr>()) return print(*e, level);
    if (const auto* e = expr.as<BinaryExpr>()) return print(*e, level);
    if (const auto* e = expr.as<Call>()) return print(*e, level);
    if (const auto* e = expr.as<ParenExpr>()) return print(*e, level);
    if (const auto* e = expr.as<UnaryExpr>()) return print(*e, level);
    if (subquery != nullptr) {
      print(*subquery->expr, level);
      Printer(out_).print_suffix(*subquery);
      return;
    }
    indent(level);
    Printer(out_).print(expr);
  }

 private:
  static constexpr std::size_t kMaxBytesPerLine = 100;

  void print(const AggregateExpr& aggregate, int level) {
    indent(level);
    Printer(out_).print_operator(aggregate);
    out_ += "(\n";
    if (aggregate.param) {
      print(*aggregate.param, level + 1);
      out_ += ",\n";
    }
    print(*aggregate.expr, level + 1);
    close(level);
  }

  void print(const BinaryExpr& binary, int level) {
    print(*binary.lhs, level + 1);
    out_ += '\n';
    indent(level);
    Printer(out_).print_operator(binary);
    out_ += '\n';
    print(*binary.rhs, level + 1);
  }

  void print(const Call& call, int level) {
    indent(level);
    out_ += call.function->name;
    out_ += "(\n";
    const char* separator = "";
    for (const auto& argument : call.args) {
      out_ += separator;
      separator = ",\n";
      print(*argument, level + 1);
    }
    close(level);
  }

  void print(const ParenExpr& paren, int level) {
    indent(level);
    out_ += "(\n";
    print(*paren.expr, level + 1);
    close(level);
  }

  void print(const UnaryExpr& unary, int level) {
    indent(level);
    out_ += unary.negative ? '-' : '+';
    // The operand follows its sign at once, and its further lines stand where they would without one.
    const std::size_t start = out_.size();
    print(*unary.expr, level);
    out_.erase(start, out_.find_first_not_of(' ', start) - start);
  }

  void indent(int level) { out_.append(static_cast<std::size_t>(2 * level), ' '); }

  void close(int level) {
    out_ += '\n';
    indent(level);
    out_ += ')';
  }

  /// Whether it takes more than a line. What contains something long is long, so that short texts only are printed to
  /// find out.
  bool is_long(const Expr& expr) {
    if (const auto found = long_.find(&expr); found != long_.end()) return found->second;
    bool result = false;
    for_each_child(expr, [&](const Expr& child) { result = is_long(child) || result; });
    if (!result) {
      std::string text;
      Printer(text).print(expr);
      result = text.size() > kMaxBytesPerLine;
    }
    return long_[&expr] = result;
  }

  std::string& out_;
  std::unordered_map<const Expr*, bool> long_;
};

}  // namespace

std::string prettify(const Expr& expr) {
  std::string out;
  Prettifier(out).print(expr, 0);
  return out;
}

}  // namespace pipit
