#include "query/ast.h"

#include <array>

namespace pipit {

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
