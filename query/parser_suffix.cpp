// What may follow an operand: brackets, offset, @, anchored and smoothed; and durations.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "model/labels.h"
#include "query/function_table.h"
#include "query/parser_builder.h"

namespace pipit {
namespace {

// The year 33,658. Up to here a time in seconds keeps its milliseconds as a double, so that a query survives being
// printed; beyond, all times mean the same.
constexpr double kMaxAtTimestamp = 1e15;
constexpr double kMaxTimestampSeconds = 9223372036854775808.0;
// What fits Prometheus's int64 nanoseconds.
constexpr double kMaxDurationSeconds = 9223372036.854775807;

// By way of whole nanoseconds, as in Prometheus.
DurationMs to_milliseconds(double seconds) {
  return static_cast<DurationMs>(std::trunc(std::round(seconds * 1e9) / 1e6));
}

}  // namespace

// ---- durations ---------------------------------------------------------------------------------------------------

void QueryBuilder::begin_duration(DurationPlace place) {
  open(Frame::duration, {});
  place_ = place;
  single_term_ = place == DurationPlace::offset;
  duration_started_ = false;
  leading_signs_ = 0;
}

void QueryBuilder::unexpected_in_duration(const Token& token) const {
  switch (place_) {
    case DurationPlace::offset:
      unexpected(token, "offset", "number, duration, step(), or range()");
    case DurationPlace::range:
      unexpected(token, "subquery or range selector", "number, duration, step(), or range()");
    case DurationPlace::step:
      unexpected(token, "subquery selector", "number, duration, step(), range(), or \"]\"");
  }
  unexpected(token);
}

void QueryBuilder::duration_sign(const Token& sign) {
  if (!duration_started_ && ++leading_signs_ > 1) single_term_ = false;
  unary(sign);
  operators_.back().in_duration = true;
}

void QueryBuilder::duration_literal(const Token& token) {
  duration_started_ = true;
  double value = literal_value(token);
  if (std::fabs(value) > kMaxDurationSeconds) fail(token.range(), "duration out of range");
  push(NumberLiteral{value, token.kind == Tok::duration}, ValueType::scalar, token.range());
}

void QueryBuilder::duration_function(const Token& paren) {
  duration_started_ = true;
  // The keyword has any case, the function's name has not.
  const auto* function = find_function(name_.kind == Tok::step ? "step" : "range");
  push(Call{function, {}}, ValueType::scalar, {name_.start, paren.end});
}

void QueryBuilder::open_duration_call(const Token&) {
  duration_started_ = true;
  open(Frame::duration_call, name_);
}

// An offset that starts with a parenthesis is a whole expression, any other just one term: `offset -(5) * 2`
// multiplies the samples.
void QueryBuilder::open_duration_parentheses(const Token& paren) {
  if (!duration_started_ && leading_signs_ == 0) single_term_ = false;
  duration_started_ = true;
  open(Frame::duration_parentheses, paren);
}

bool QueryBuilder::duration_operator(const Token& op) {
  if (single_term_ && frames_.back().kind == Frame::duration) return false;
  push_binary(op, true);
  return true;
}

bool QueryBuilder::next_duration_argument(const Token&) {
  auto& frame = frames_.back();
  if (frame.kind != Frame::duration_call || !frame.arguments.empty()) return false;
  end_argument();
  return true;
}

bool QueryBuilder::close_duration(const Token& paren) {
  auto kind = frames_.back().kind;
  if (kind == Frame::duration_parentheses) {
    reduce_frame();
    auto expr = pop();
    PositionRange position = {frames_.back().opening.start, paren.end};
    frames_.pop_back();
    // One pair says it all, and a number needs none.
    if (auto* inner = expr->as<ParenExpr>()) expr = ExprPtr(std::move(inner->expr));
    if (expr->as<NumberLiteral>() != nullptr) {
      operands_.push_back(std::move(expr));
      return true;
    }
    auto height = expr->height;
    push(ParenExpr{std::move(expr)}, ValueType::scalar, position, height);
    return true;
  }
  if (kind != Frame::duration_call || frames_.back().arguments.size() != 1) return false;
  end_argument();
  auto frame = std::move(frames_.back());
  frames_.pop_back();
  auto height = std::max(frame.arguments[0]->height, frame.arguments[1]->height);
  const auto* function = find_function(frame.opening.kind == Tok::min_of ? "min_of" : "max_of");
  push(Call{function, std::move(frame.arguments)}, ValueType::scalar, {frame.opening.start, paren.end}, height);
  return true;
}

// `offset - -2 + x` is an offset of 2 + x, which to be printed takes parentheses.
ExprPtr QueryBuilder::wrap_offset(ExprPtr expr) {
  const Expr* first = expr.get();
  while (const auto* binary = first->as<BinaryExpr>()) first = binary->lhs.get();
  if (first == expr.get() || first->as<ParenExpr>() != nullptr) return expr;
  auto position = expr->position;
  auto height = expr->height;
  push(ParenExpr{std::move(expr)}, ValueType::scalar, position, height);
  return pop();
}

DurationExpr QueryBuilder::take_duration() {
  reduce_frame();
  frames_.pop_back();
  auto expr = pop();
  DurationExpr duration;
  if (const auto* number = expr->as<NumberLiteral>()) {
    duration.constant = to_milliseconds(number->value);
    if (place_ != DurationPlace::offset && duration.constant <= 0) {
      fail(expr->position, "duration must be greater than 0");
    }
    return duration;
  }
  if (place_ == DurationPlace::offset) expr = wrap_offset(std::move(expr));
  duration_height_ = std::max(duration_height_, expr->height);
  duration.expr = std::move(expr);
  return duration;
}

// ---- offset, @, anchored, smoothed -------------------------------------------------------------------------------

QueryBuilder::Modifiers QueryBuilder::modifiers_of(Expr& operand) {
  if (auto* matrix = operand.as<MatrixSelector>()) {
    auto* selector = matrix->selector->as<VectorSelector>();
    return {&selector->offset, &selector->at, &selector->extension};
  }
  if (auto* selector = operand.as<VectorSelector>()) return {&selector->offset, &selector->at, &selector->extension};
  if (auto* subquery = operand.as<SubqueryExpr>()) return {&subquery->offset, &subquery->at, nullptr};
  return {};
}

void QueryBuilder::offset(const Token&) {
  duration_height_ = 0;
  begin_duration(DurationPlace::offset);
}

void QueryBuilder::end_offset(const Token& last) {
  auto offset = take_duration();
  auto& operand = *operands_.back();
  auto modifiers = modifiers_of(operand);
  if (modifiers.offset == nullptr) {
    fail(operand.position,
         "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
  }
  if (modifiers.offset->constant != 0 || modifiers.offset->expr) {
    fail(operand.position, "offset may not be set multiple times");
  }
  *modifiers.offset = std::move(offset);
  raise_height(operand);
  operand.position.end = last.end;
}

void QueryBuilder::raise_height(Expr& operand) const {
  operand.height = std::max(operand.height, duration_height_ + 1);
  check_height(operand.height, operand.position);
}

void QueryBuilder::at_number(const Token& number) {
  double seconds = literal_value(number);
  if (negative_) seconds = -seconds;
  auto& operand = *operands_.back();
  if (!(std::fabs(seconds) < kMaxTimestampSeconds)) {
    char text[352];  // as many digits as a double can have
    std::snprintf(text, sizeof text, "%f", seconds);
    std::string shown = std::isnan(seconds) ? "NaN" : std::isinf(seconds) ? (seconds > 0 ? "+Inf" : "-Inf") : text;
    fail(operand.position, "timestamp out of bounds for @ modifier: " + shown);
  }
  auto* at = at_of_operand(number);
  at->kind = AtModifier::Kind::timestamp;
  at->timestamp = static_cast<TimestampMs>(std::clamp(std::round(seconds * 1000), -kMaxAtTimestamp, kMaxAtTimestamp));
}

void QueryBuilder::end_at_function(const Token& paren) {
  at_of_operand(paren)->kind = name_.kind == Tok::start ? AtModifier::Kind::start : AtModifier::Kind::end;
}

AtModifier* QueryBuilder::at_of_operand(const Token& last) {
  auto& operand = *operands_.back();
  auto* at = modifiers_of(operand).at;
  if (at == nullptr) {
    fail(operand.position,
         "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
  }
  if (at->kind != AtModifier::Kind::none) fail(operand.position, "@ <timestamp> may not be set multiple times");
  operand.position.end = last.end;
  return at;
}

void QueryBuilder::extend(const Token& keyword, RangeExtension extension) {
  auto& operand = *operands_.back();
  std::string name = extension == RangeExtension::anchored ? "anchored" : "smoothed";
  auto* current = modifiers_of(operand).extension;
  if (current == nullptr) {
    bool subquery = operand.as<SubqueryExpr>() != nullptr;
    fail(operand.position,
         name + (subquery ? " modifier is not supported for subqueries" : " modifier not implemented"));
  }
  if (*current != RangeExtension::none && *current != extension) {
    fail(operand.position, "anchored and smoothed modifiers cannot be used together");
  }
  *current = extension;
  operand.position.end = keyword.end;
}

// ---- brackets ----------------------------------------------------------------------------------------------------

void QueryBuilder::open_brackets(const Token& bracket) {
  bracket_ = bracket;
  duration_height_ = 0;
  begin_duration(DurationPlace::range);
}

void QueryBuilder::end_range_duration() {
  range_ = take_duration();
  step_ = {};
}

void QueryBuilder::begin_step() { begin_duration(DurationPlace::step); }

void QueryBuilder::end_step() { step_ = take_duration(); }

void QueryBuilder::close_range(const Token& bracket) {
  auto& operand = *operands_.back();
  PositionRange brackets = {bracket_.start, bracket.end};
  const auto* selector = operand.as<VectorSelector>();
  if (selector == nullptr) fail(brackets, "ranges only allowed for vector selectors");
  // Prometheus looks for constants only, so that `m @ end()[5m]` and `m offset step()[5m]` are ranges.
  if (selector->offset.constant != 0) fail(brackets, "no offset modifiers allowed before range");
  if (selector->at.kind == AtModifier::Kind::timestamp) fail(brackets, "no @ modifiers allowed before range");
  auto expr = pop();
  PositionRange position = {expr->position.start, bracket.end};
  auto height = std::max(expr->height, duration_height_);
  push(MatrixSelector{std::move(expr), std::move(range_)}, ValueType::range_vector, position, height);
}

void QueryBuilder::close_subquery(const Token& bracket) {
  auto expr = pop();
  PositionRange position = {expr->position.start, bracket.end};
  auto height = std::max(expr->height, duration_height_);
  SubqueryExpr subquery;
  subquery.expr = std::move(expr);
  subquery.range = std::move(range_);
  subquery.step = std::move(step_);
  push(std::move(subquery), ValueType::range_vector, position, height);
}

}  // namespace pipit
