#include "api/expression_json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/json_writer.h"
#include "model/number.h"
#include "query/function_table.h"

namespace pipit {
namespace {

/// A type's name in the API.
std::string_view type_name(ValueType type) {
  switch (type) {
    case ValueType::scalar:
      return "scalar";
    case ValueType::instant_vector:
      return "vector";
    case ValueType::range_vector:
      return "matrix";
    case ValueType::string:
      return "string";
  }
  return "none";
}

std::string_view cardinality_name(MatchCardinality cardinality) {
  switch (cardinality) {
    case MatchCardinality::one_to_one:
      return "one-to-one";
    case MatchCardinality::many_to_one:
      return "many-to-one";
    case MatchCardinality::one_to_many:
      return "one-to-many";
    case MatchCardinality::many_to_many:
      return "many-to-many";
  }
  return "";
}

class ExpressionWriter {
 public:
  explicit ExpressionWriter(std::string& out) : out_(out) {}

  void write(const Expr& expr) {
    std::visit([this](const auto& node) { write(node); }, expr.node);
  }

 private:
  // ---- members: `{"name":value,` first, the others behind a comma ------------------------------------------------

  void name(std::string_view member) {
    if (out_.back() != '{') out_ += ',';
    out_.append("\"").append(member).append("\":");
  }
  void text(std::string_view member, std::string_view value) {
    name(member);
    append_json_string(out_, value);
  }
  void boolean(std::string_view member, bool value) {
    name(member);
    out_ += value ? "true" : "false";
  }
  void integer(std::string_view member, std::int64_t value) {
    name(member);
    out_ += std::to_string(value);
  }
  void number_or_null(std::string_view member, const std::optional<double>& value) {
    name(member);
    if (value) {
      append_json_number(out_, *value);
    } else {
      out_ += "null";
    }
  }
  void texts(std::string_view member, const std::vector<std::string>& values) {
    list(member, values, [this](const std::string& value) { append_json_string(out_, value); });
  }
  void expression(std::string_view member, const ExprPtr& expr) {
    name(member);
    if (expr) {
      write(*expr);
    } else {
      out_ += "null";
    }
  }
  template <class List, class Write>
  void list(std::string_view member, const List& elements, Write write_element) {
    name(member);
    out_ += '[';
    bool first = true;
    for (const auto& element : elements) {
      if (!first) out_ += ',';
      first = false;
      write_element(element);
    }
    out_ += ']';
  }
  void open() { out_ += '{'; }
  void close() { out_ += '}'; }

  // ---- nodes -----------------------------------------------------------------------------------------------------

  void write(const NumberLiteral& number) {
    std::string value;
    append_float(value, number.value);
    open();
    text("type", "numberLiteral");
    text("val", value);
    close();
  }

  void write(const StringLiteral& string) {
    open();
    text("type", "stringLiteral");
    text("val", string.value);
    close();
  }

  void write(const ParenExpr& paren) {
    open();
    expression("expr", paren.expr);
    text("type", "parenExpr");
    close();
  }

  void write(const UnaryExpr& unary) {
    open();
    expression("expr", unary.expr);
    text("op", unary.negative ? "-" : "+");
    text("type", "unaryExpr");
    close();
  }

  void write(const AggregateExpr& aggregate) {
    open();
    expression("expr", aggregate.expr);
    texts("grouping", aggregate.grouping);
    text("op", aggregate_op_text(aggregate.op));
    expression("param", aggregate.param);
    text("type", "aggregation");
    boolean("without", aggregate.without);
    close();
  }

  void write(const BinaryExpr& binary) {
    open();
    boolean("bool", binary.return_bool);
    expression("lhs", binary.lhs);
    name("matching");
    if (binary.matching) {
      write(*binary.matching);
    } else {
      out_ += "null";
    }
    text("op", binary_op_text(binary.op));
    expression("rhs", binary.rhs);
    text("type", "binaryExpr");
    close();
  }

  void write(const VectorMatching& matching) {
    open();
    text("card", cardinality_name(matching.cardinality));
    name("fillValues");
    open();
    number_or_null("lhs", matching.fill_left);
    number_or_null("rhs", matching.fill_right);
    close();
    texts("include", matching.include);
    texts("labels", matching.labels);
    boolean("on", matching.on);
    close();
  }

  void write(const Call& call) {
    const FunctionSpec& function = *call.function;
    open();
    list("args", call.args, [this](const ExprPtr& argument) { write(*argument); });
    name("func");
    open();
    list("argTypes", function.arg_types, [this](ValueType type) { append_json_string(out_, type_name(type)); });
    text("name", function.name);
    text("returnType", type_name(function.return_type));
    integer("variadic", function.variadic);
    close();
    text("type", "call");
    close();
  }

  void write(const VectorSelector& selector) { write_selector(selector, nullptr, "vectorSelector"); }
  void write(const MatrixSelector& matrix) {
    write_selector(*matrix.selector->as<VectorSelector>(), &matrix.range, "matrixSelector");
  }

  /// A duration that is an expression shows as 0, as upstream.
  void write_selector(const VectorSelector& selector, const DurationExpr* range, std::string_view type) {
    open();
    boolean("anchored", selector.extension == RangeExtension::anchored);
    list("matchers", selector.matchers, [this](const Matcher& matcher) {
      open();
      text("name", matcher.name());
      text("type", match_operator(matcher.type()));
      text("value", matcher.value());
      close();
    });
    text("name", selector.metric);
    integer("offset", selector.offset.constant);
    if (range != nullptr) integer("range", range->constant);
    boolean("smoothed", selector.extension == RangeExtension::smoothed);
    write_at(selector.at);
    text("type", type);
    close();
  }

  void write(const SubqueryExpr& subquery) {
    open();
    expression("expr", subquery.expr);
    integer("offset", subquery.offset.constant);
    integer("range", subquery.range.constant);
    write_start_or_end(subquery.at);
    integer("step", subquery.step.constant);
    write_timestamp(subquery.at);
    text("type", "subquery");
    close();
  }

  void write_at(const AtModifier& at) {
    write_start_or_end(at);
    write_timestamp(at);
  }

  void write_start_or_end(const AtModifier& at) {
    name("startOrEnd");
    out_ += at.kind == AtModifier::Kind::start ? "\"start\"" : at.kind == AtModifier::Kind::end ? "\"end\"" : "null";
  }

  void write_timestamp(const AtModifier& at) {
    name("timestamp");
    out_ += at.kind == AtModifier::Kind::timestamp ? std::to_string(at.timestamp) : "null";
  }

  std::string& out_;
};

}  // namespace

void append_json_expression(std::string& out, const Expr& expr) { ExpressionWriter(out).write(expr); }

}  // namespace pipit
