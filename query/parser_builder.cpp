#include "query/parser_builder.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "model/duration.h"
#include "model/labels.h"
#include "model/number.h"
#include "query/function_table.h"
#include "query/parser.h"

namespace pipit {
namespace {

// Of the binary operators, in their order; a sign binds like a multiplication.
constexpr int kPrecedences[] = {4, 4, 5, 5, 5, 6, 5, 3, 3, 3, 3, 3, 3, 2, 1, 2, 3, 3};
constexpr int kUnaryPrecedence = 5;
constexpr int kPowerPrecedence = 6;

// Operators that wait for their right operand; only signs and powers can make so many.
constexpr std::size_t kMaxPendingOperators = std::size_t{8} * kMaxQueryDepth;

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// Digits, a point between, an exponent behind; or Inf or NaN. What the lexer takes for a number may be none, as `1e-`.
bool is_decimal(std::string_view number) {
  auto skip_digits = [&] {
    auto digits = std::min(number.find_first_not_of("0123456789"), number.size());
    number.remove_prefix(digits);
    return digits;
  };
  auto skip = [&](std::string_view any) {
    bool skipped = !number.empty() && any.find(number[0]) != any.npos;
    if (skipped) number.remove_prefix(1);
    return skipped;
  };
  if (!is_digit(number[0]) && number[0] != '.') return true;
  auto digits = skip_digits();
  if (skip(".")) digits += skip_digits();
  if (digits == 0) return false;
  if (!skip("eE")) return number.empty();
  skip("+-");
  return skip_digits() > 0 && number.empty();
}

std::uint32_t height_of(const ExprPtr& expr) { return expr ? expr->height : 0; }

}  // namespace

// ---- errors ------------------------------------------------------------------------------------------------------

void QueryBuilder::fail(PositionRange at, std::string message) const { throw SyntaxError{at, std::move(message)}; }

void QueryBuilder::unexpected(const Token& token, std::string_view context, std::string_view expected) const {
  if (token.kind == Tok::error) fail(token.range(), sequence_.error);
  std::string message = "unexpected " + describe(sequence_, token);
  if (!context.empty()) message.append(" in ").append(context);
  if (!expected.empty()) message.append(", expected ").append(expected);
  fail(token.range(), std::move(message));
}

void QueryBuilder::unexpected(const Token& token) const {
  unexpected(token, open_aggregations_ > 0 ? "aggregation" : "", "");
}

void QueryBuilder::unexpected_operand(const Token& token, const Token* previous) const {
  if (previous == nullptr && token.kind == Tok::eof) fail({}, "no expression found in input");
  if (previous != nullptr && previous->kind == Tok::comma && token.kind != Tok::error) {
    fail(previous->range(), "trailing commas not allowed in function call args");
  }
  unexpected(token);
}

void QueryBuilder::check_height(std::uint32_t height, PositionRange at) const {
  if (height <= kMaxQueryDepth && operators_.size() <= kMaxPendingOperators) return;
  fail(at, "query nests more than " + std::to_string(kMaxQueryDepth) + " levels of operators, calls and parentheses");
}

// ---- the stacks --------------------------------------------------------------------------------------------------

void QueryBuilder::push(Expr::Node node, ValueType type, PositionRange position, std::uint32_t height_below) {
  check_height(height_below + 1, position);
  auto expr = std::make_unique<Expr>();
  expr->node = std::move(node);
  expr->type = type;
  expr->position = position;
  expr->height = height_below + 1;
  operands_.push_back(std::move(expr));
}

ExprPtr QueryBuilder::pop() {
  auto expr = std::move(operands_.back());
  operands_.pop_back();
  return expr;
}

QueryBuilder::Frame& QueryBuilder::open(Frame::Kind kind, const Token& opening) {
  check_height(static_cast<std::uint32_t>(frames_.size()), opening.range());
  auto& frame = frames_.emplace_back();
  frame.kind = kind;
  frame.opening = opening;
  frame.operands = operands_.size();
  frame.operators = operators_.size();
  return frame;
}

void QueryBuilder::unary(const Token& sign) {
  auto& op = operators_.emplace_back();
  op.token = sign;
  op.precedence = kUnaryPrecedence;
  op.is_unary = true;
  check_height(1, sign.range());
}

void QueryBuilder::binary(const Token& op) {
  push_binary(op, false);
  operators_.back().expr.matching.emplace();
}

void QueryBuilder::push_binary(const Token& token, bool in_duration) {
  auto kind = static_cast<std::size_t>(token.kind) - static_cast<std::size_t>(Tok::add);
  int precedence = kPrecedences[kind];
  reduce_down_to(precedence, precedence == kPowerPrecedence);
  auto& op = operators_.emplace_back();
  op.token = token;
  op.precedence = precedence;
  op.in_duration = in_duration;
  op.expr.op = static_cast<BinaryOp>(kind);
  check_height(1, token.range());
}

void QueryBuilder::reduce_down_to(int precedence, bool right_associative) {
  while (operators_.size() > frames_.back().operators) {
    int top = operators_.back().precedence;
    if (top < precedence || (top == precedence && right_associative)) break;
    reduce();
  }
}

void QueryBuilder::reduce_frame() { reduce_down_to(0, false); }

void QueryBuilder::reduce() {
  auto op = std::move(operators_.back());
  operators_.pop_back();
  if (op.is_unary) return reduce_unary(std::move(op));
  auto rhs = pop();
  auto lhs = pop();
  if (const auto* divisor = rhs->as<NumberLiteral>(); op.in_duration && divisor && divisor->value == 0) {
    if (op.expr.op == BinaryOp::div) fail(op.token.range(), "division by zero");
    if (op.expr.op == BinaryOp::mod) fail(op.token.range(), "modulo by zero");
  }
  bool scalar = lhs->type == ValueType::scalar && rhs->type == ValueType::scalar;
  PositionRange position = {lhs->position.start, rhs->position.end};
  auto height = std::max(lhs->height, rhs->height);
  op.expr.lhs = std::move(lhs);
  op.expr.rhs = std::move(rhs);
  push(std::move(op.expr), scalar ? ValueType::scalar : ValueType::instant_vector, position, height);
}

// A sign before a number becomes part of it; a plus in a duration says nothing.
void QueryBuilder::reduce_unary(Operator op) {
  bool negative = op.token.kind == Tok::sub;
  auto& operand = operands_.back();
  auto* number = operand->as<NumberLiteral>();
  if (number != nullptr && negative) number->value = -number->value;
  if (number != nullptr) operand->position.start = op.token.start;
  if (number != nullptr || (op.in_duration && !negative)) return;
  auto expr = pop();
  auto type = expr->type;
  PositionRange position = {op.token.start, expr->position.end};
  auto height = expr->height;
  push(UnaryExpr{negative, std::move(expr)}, type, position, height);
}

// ---- literals ----------------------------------------------------------------------------------------------------

void QueryBuilder::number(const Token& token) {
  push(NumberLiteral{literal_value(token), token.kind == Tok::duration}, ValueType::scalar, token.range());
}

void QueryBuilder::string(const Token& token) {
  push(StringLiteral{sequence_.strings[token.string]}, ValueType::string, token.range());
}

double QueryBuilder::literal_value(const Token& token) const {
  return token.kind == Tok::duration ? duration_value(token) : number_value(token);
}

double QueryBuilder::duration_value(const Token& token) const {
  auto duration = parse_duration(sequence_.text(token));
  if (!duration.ok()) fail(token.range(), duration.error().message);
  return static_cast<double>(*duration) / 1000;
}

// As Go reads numbers: 0x is hexadecimal, a leading 0 octal where that makes a number.
double QueryBuilder::number_value(const Token& token) const {
  auto text = sequence_.text(token);
  std::string digits;
  std::ranges::remove_copy(text, std::back_inserter(digits), '_');
  bool hexadecimal = digits.size() > 1 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
  bool underscores_separate = text.back() != '_' && text.find("__") == text.npos;
  const char* reason = "invalid syntax";
  if (hexadecimal || (digits.size() > 1 && digits.find_first_not_of("01234567") == digits.npos && digits[0] == '0')) {
    const char* first = digits.data() + (hexadecimal ? 2 : 1);
    const char* last = digits.data() + digits.size();
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(first, last, value, hexadecimal ? 16 : 8);
    if (error == std::errc() && end == last && underscores_separate) return static_cast<double>(value);
  }
  if (!hexadecimal && underscores_separate && is_decimal(digits)) {
    if (auto value = parse_float(digits)) return *value;
    reason = "value out of range";
  }
  fail(token.range(), "error parsing number: strconv.ParseFloat: parsing " + quoted(text) + ": " + reason);
}

// ---- selectors ---------------------------------------------------------------------------------------------------

void QueryBuilder::begin_selector() {
  selector_ = {};
  selector_range_ = {};
}

void QueryBuilder::metric(const Token& name) {
  begin_selector();
  selector_.metric = sequence_.text(name);
  selector_range_ = name.range();
}

void QueryBuilder::open_matchers(const Token& brace) {
  if (selector_.metric.empty()) selector_range_ = brace.range();
}

void QueryBuilder::matcher_value(const Token& value) {
  static constexpr auto type_of = [](Tok op) {
    return op == Tok::assign        ? MatchType::equal
           : op == Tok::ne          ? MatchType::not_equal
           : op == Tok::match_regex ? MatchType::regex
                                    : MatchType::not_regex;
  };
  bool is_quoted = matcher_name_.kind == Tok::string;
  auto name = is_quoted ? sequence_.strings[matcher_name_.string] : std::string(sequence_.text(matcher_name_));
  auto matcher = Matcher::make(type_of(matcher_op_.kind), std::move(name), sequence_.strings[value.string]);
  if (!matcher.ok()) fail({matcher_name_.start, value.end}, matcher.error().message);
  selector_.matchers.push_back(std::move(*matcher));
}

void QueryBuilder::quoted_metric() {
  selector_.matchers.push_back(Matcher::equal(std::string(kMetricName), sequence_.strings[matcher_name_.string]));
}

void QueryBuilder::close_matchers(const Token& brace) { selector_range_.end = brace.end; }

void QueryBuilder::finish_selector() {
  if (!selector_.metric.empty()) {
    selector_.matchers.push_back(Matcher::equal(std::string(kMetricName), selector_.metric));
  }
  push(std::move(selector_), ValueType::instant_vector, selector_range_);
}

std::vector<Matcher> QueryBuilder::take_matchers() {
  return std::move(operands_.back()->as<VectorSelector>()->matchers);
}

// ---- binary modifiers and label lists ----------------------------------------------------------------------------

VectorMatching& QueryBuilder::current_matching() { return *operators_.back().expr.matching; }

void QueryBuilder::matching(const Token& keyword) {
  current_matching().on = keyword.kind == Tok::on;
  labels_of_ = keyword.kind;
}

void QueryBuilder::group(const Token& keyword) {
  current_matching().cardinality =
      keyword.kind == Tok::group_left ? MatchCardinality::many_to_one : MatchCardinality::one_to_many;
  labels_of_ = keyword.kind;
}

void QueryBuilder::fill_value(const Token& value) {
  double number = literal_value(value);
  if (negative_) number = -number;
  if (fill_ != Tok::fill_right) current_matching().fill_left = number;
  if (fill_ != Tok::fill_left) current_matching().fill_right = number;
}

void QueryBuilder::label(const Token& name) {
  auto text = name.kind == Tok::string ? sequence_.strings[name.string] : std::string(sequence_.text(name));
  if (text.empty() || !is_valid_utf8(text)) fail(name.range(), "invalid label name for grouping: " + quoted(text));
  labels_.push_back(std::move(text));
}

void QueryBuilder::close_labels(const Token& paren) {
  switch (labels_of_) {
    case Tok::by:
    case Tok::without:
      aggregation_.grouping = std::move(labels_);
      aggregation_end_ = paren.end;
      break;
    case Tok::on:
    case Tok::ignoring:
      current_matching().labels = std::move(labels_);
      break;
    default:
      current_matching().include = std::move(labels_);
      break;
  }
}

// ---- parentheses, calls, aggregations ----------------------------------------------------------------------------

void QueryBuilder::open_parentheses(const Token& paren) { open(Frame::parentheses, paren); }

void QueryBuilder::open_call(const Token&) { open(Frame::call, name_); }

void QueryBuilder::begin_aggregation() {
  aggregation_ = {};
  aggregation_.opening = name_;
}

void QueryBuilder::aggregation_modifier(const Token& keyword) {
  aggregation_.has_modifier = true;
  aggregation_.without = keyword.kind == Tok::without;
  labels_of_ = keyword.kind;
}

void QueryBuilder::open_aggregation(const Token&) {
  auto& frame = open(Frame::aggregation, aggregation_.opening);
  frame.grouping = std::move(aggregation_.grouping);
  frame.without = aggregation_.without;
  frame.has_modifier = aggregation_.has_modifier;
  ++open_aggregations_;
}

void QueryBuilder::end_argument() {
  auto& frame = frames_.back();
  if (operands_.size() == frame.operands) return;
  reduce_frame();
  frame.arguments.push_back(pop());
}

bool QueryBuilder::next_argument(const Token&) {
  if (!in_call()) return false;
  end_argument();
  return true;
}

bool QueryBuilder::close(const Token& paren) {
  auto kind = frames_.back().kind;
  if (kind == Frame::parentheses) {
    reduce_frame();
    auto expr = pop();
    PositionRange position = {frames_.back().opening.start, paren.end};
    frames_.pop_back();
    auto type = expr->type;
    auto height = expr->height;
    push(ParenExpr{std::move(expr)}, type, position, height);
    return true;
  }
  if (kind != Frame::call) return false;
  end_argument();
  auto frame = std::move(frames_.back());
  frames_.pop_back();
  push_call(std::move(frame), paren.end);
  return true;
}

void QueryBuilder::push_call(Frame frame, std::uint32_t end) {
  auto name = sequence_.text(frame.opening);
  const auto* function = find_function(name);
  if (function == nullptr) fail(frame.opening.range(), "unknown function with name " + quoted(name));
  std::uint32_t height = 0;
  for (const auto& argument : frame.arguments) height = std::max(height, argument->height);
  push(Call{function, std::move(frame.arguments)}, function->return_type, {frame.opening.start, end}, height);
}

bool QueryBuilder::close_aggregation(const Token& paren) {
  if (frames_.back().kind != Frame::aggregation) return false;
  end_argument();
  aggregation_ = std::move(frames_.back());
  aggregation_end_ = paren.end;
  frames_.pop_back();
  return true;
}

void QueryBuilder::finish_aggregation() {
  --open_aggregations_;
  auto op = static_cast<AggregateOp>(static_cast<int>(aggregation_.opening.kind) - static_cast<int>(Tok::sum));
  PositionRange position = {aggregation_.opening.start, aggregation_end_};
  auto& arguments = aggregation_.arguments;
  if (arguments.empty()) fail(position, "no arguments for aggregate expression provided");
  std::size_t expected = op >= AggregateOp::topk ? 2 : 1;
  if (arguments.size() != expected) {
    fail(position, "wrong number of arguments for aggregate expression provided, expected " + std::to_string(expected) +
                       ", got " + std::to_string(arguments.size()));
  }
  auto param = expected == 2 ? std::move(arguments[0]) : nullptr;
  auto& expr = arguments.back();
  auto height = std::max(height_of(param), height_of(expr));
  push(AggregateExpr{op, std::move(param), std::move(expr), std::move(aggregation_.grouping), aggregation_.without},
       ValueType::instant_vector, position, height);
}

}  // namespace pipit
