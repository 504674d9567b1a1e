#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "query/ast.h"
#include "query/lexer.h"

namespace pipit {

/// Ends the parsing; parser_x3.cpp turns it into a value. Spirit's expectation points work by exceptions too.
struct SyntaxError {
  PositionRange range;
  std::string message;
};

/// Makes the syntax tree while the grammar (parser_x3.cpp) reads a query from left to right.
///
/// The grammar is flat: it says which tokens may follow each other, and hands each on. Nesting and precedence live
/// here, on stacks of the heap: a *frame* for each bracket that is open, and in each frame operands and operators
/// that wait for what comes next. So no query, however deep, costs the thread's stack anything. Durations are
/// expressions of the same kind in frames of their own.
///
/// The methods are the grammar's actions, in the order in which the grammar calls them. They throw SyntaxError; one
/// that returns false says that the token does not fit here.
class QueryBuilder {
 public:
  explicit QueryBuilder(const TokenSequence& sequence) : sequence_(sequence) { frames_.emplace_back(); }

  /// Joins the operators that still wait. REQUIRES: every bracket closed, at least one operand.
  void finish() { reduce_frame(); }
  /// The finished tree.
  ExprPtr take() { return pop(); }
  /// The matchers of the selector that was the whole text.
  std::vector<Matcher> take_matchers();

  [[noreturn]] void unexpected(const Token& token, std::string_view context, std::string_view expected) const;
  /// Likewise, in no context but that of an aggregation that is open.
  [[noreturn]] void unexpected(const Token& token) const;
  /// Where an operand should stand. `previous` is the token before, or null at the start.
  [[noreturn]] void unexpected_operand(const Token& token, const Token* previous) const;
  [[noreturn]] void unexpected_in_duration(const Token& token) const;

  // Literals.
  void number(const Token& token);
  void string(const Token& token);

  // Selectors.
  void begin_selector();
  void metric(const Token& name);
  void open_matchers(const Token& brace);
  void matcher_name(const Token& name) { matcher_name_ = name; }
  void matcher_op(const Token& op) { matcher_op_ = op; }
  void matcher_value(const Token& value);
  void quoted_metric();
  void close_matchers(const Token& brace);
  void finish_selector();

  // Operators.
  void unary(const Token& sign);
  void binary(const Token& op);
  void return_bool(const Token&) { operators_.back().expr.return_bool = true; }
  void matching(const Token& keyword);
  void group(const Token& keyword);
  void fill(const Token& keyword) {
    fill_ = keyword.kind;
    negative_ = false;
  }
  void sign(const Token& sign) { negative_ = sign.kind == Tok::sub; }
  void fill_value(const Token& value);

  // Label lists; whose they are the keyword before has told.
  void open_labels(const Token&) { labels_.clear(); }
  void label(const Token& name);
  void close_labels(const Token& paren);

  // Parentheses, calls, aggregations.
  void name(const Token& name) { name_ = name; }
  void open_parentheses(const Token& paren);
  void open_call(const Token& paren);
  void begin_aggregation();
  void aggregation_modifier(const Token& keyword);
  void open_aggregation(const Token& paren);
  bool in_call() const { return frames_.back().kind == Frame::call || frames_.back().kind == Frame::aggregation; }
  bool next_argument(const Token& comma);
  bool close(const Token& paren);
  bool close_aggregation(const Token& paren);
  bool lacks_modifier() const { return !aggregation_.has_modifier; }
  void finish_aggregation();

  // What may follow an operand.
  void offset(const Token& keyword);
  void end_offset(const Token& last);
  void at(const Token&) { negative_ = false; }
  void at_number(const Token& number);
  void end_at_function(const Token& paren);
  void anchored(const Token& keyword) { extend(keyword, RangeExtension::anchored); }
  void smoothed(const Token& keyword) { extend(keyword, RangeExtension::smoothed); }
  void open_brackets(const Token& bracket);
  void end_range_duration();
  void close_range(const Token& bracket);
  void begin_step();
  void end_step();
  void close_subquery(const Token& bracket);

  // Durations.
  void duration_sign(const Token& sign);
  void duration_literal(const Token& token);
  void duration_function(const Token& paren);
  void open_duration_call(const Token& paren);
  void open_duration_parentheses(const Token& paren);
  bool close_duration(const Token& paren);
  bool duration_operator(const Token& op);
  bool next_duration_argument(const Token& comma);
  bool duration_is_closed() const { return frames_.back().kind == Frame::duration; }

 private:
  struct Frame {
    enum Kind { root, parentheses, call, aggregation, duration, duration_parentheses, duration_call };
    Kind kind = root;
    Token opening;             ///< the parenthesis, function name or aggregation
    std::size_t operands = 0;  ///< where this frame's part of the stacks starts
    std::size_t operators = 0;
    std::vector<ExprPtr> arguments;
    std::vector<std::string> grouping;
    bool without = false;
    bool has_modifier = false;
  };
  struct Operator {
    Token token;
    int precedence = 0;
    bool is_unary = false;
    bool in_duration = false;
    BinaryExpr expr;  ///< without its operands
  };
  /// Where a duration stands, which decides what may be written and how errors are worded.
  enum class DurationPlace { offset, range, step };
  /// What an operand has of them; null what it can't have.
  struct Modifiers {
    DurationExpr* offset = nullptr;
    AtModifier* at = nullptr;
    RangeExtension* extension = nullptr;
  };

  [[noreturn]] void fail(PositionRange at, std::string message) const;
  void check_height(std::uint32_t height, PositionRange at) const;
  void push(Expr::Node node, ValueType type, PositionRange position, std::uint32_t height_below = 0);
  ExprPtr pop();
  Frame& open(Frame::Kind kind, const Token& opening);
  void push_binary(const Token& op, bool in_duration);
  void reduce();
  void reduce_unary(Operator op);
  void reduce_frame();
  void reduce_down_to(int precedence, bool right_associative);
  void end_argument();
  void push_call(Frame frame, std::uint32_t end);

  double literal_value(const Token& token) const;
  double duration_value(const Token& token) const;
  double number_value(const Token& token) const;
  VectorMatching& current_matching();

  void begin_duration(DurationPlace place);
  /// The duration whose frame is innermost and closed.
  DurationExpr take_duration();
  ExprPtr wrap_offset(ExprPtr expr);
  static Modifiers modifiers_of(Expr& operand);
  AtModifier* at_of_operand(const Token& last);
  void extend(const Token& keyword, RangeExtension extension);
  void raise_height(Expr& operand) const;

  const TokenSequence& sequence_;
  std::vector<Frame> frames_;
  std::vector<ExprPtr> operands_;
  std::vector<Operator> operators_;
  int open_aggregations_ = 0;

  // Parts of what is being read.
  Token name_;
  Token matcher_name_;
  Token matcher_op_;
  VectorSelector selector_;
  PositionRange selector_range_;
  std::vector<std::string> labels_;
  Tok labels_of_ = Tok::by;
  Tok fill_ = Tok::fill;
  bool negative_ = false;
  Frame aggregation_;  ///< the one whose modifier stands before or behind its arguments
  std::uint32_t aggregation_end_ = 0;
  Token bracket_;
  DurationExpr range_;
  DurationExpr step_;
  std::uint32_t duration_height_ = 0;  ///< of the highest expression among the durations of this suffix
  DurationPlace place_ = DurationPlace::offset;
  int leading_signs_ = 0;     ///< of the duration
  bool single_term_ = false;  ///< the duration ends with its first term, as in `offset 5m + x`
  bool duration_started_ = false;
};

}  // namespace pipit
