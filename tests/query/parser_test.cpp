#include "query/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "query/function_table.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

/// The tree as (operator operand...), where to_string shows no grouping. Calls and selectors stay as they print.
std::string tree(const Expr& expr) {
  if (const auto* binary = expr.as<BinaryExpr>()) {
    // The operator with its modifiers is what stands between the operands.
    auto printed = to_string(expr);
    auto lhs = to_string(*binary->lhs);
    auto rhs = to_string(*binary->rhs);
    auto op = printed.substr(lhs.size() + 1, printed.size() - lhs.size() - rhs.size() - 2);
    if (printed.compare(0, lhs.size(), lhs) != 0) op = binary_op_text(binary->op);  // Inf, which prints without a sign
    auto left = tree(*binary->lhs);
    return "(" + op + " " + (left == "+Inf" ? "Inf" : left) + " " + tree(*binary->rhs) + ")";
  }
  if (const auto* unary = expr.as<UnaryExpr>()) return (unary->negative ? "(-u " : "(+u ") + tree(*unary->expr) + ")";
  if (const auto* paren = expr.as<ParenExpr>()) return "(paren " + tree(*paren->expr) + ")";
  return to_string(expr);
}

TEST(Parser, CasesOfTheTable) {
  std::ifstream file(PIPIT_SOURCE_DIR "/tests/query/data/parser_cases.txt");
  ASSERT_TRUE(file);
  std::string query;
  int number = 0;
  int checked = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.starts_with("#")) continue;
    line = replace_all(line, "␤", "\n");
    if (!line.starts_with("  ")) {
      query = line;
      continue;
    }
    SCOPED_TRACE("parser_cases.txt:" + std::to_string(number) + ": " + query);
    ++checked;
    auto expected = line.substr(std::min<std::size_t>(4, line.size()));
    auto expr = parse_query(query);
    if (line[2] == '!') {
      auto place_end = expected.find(": ") + 2;
      expected.insert(place_end, "parse error: ");
      if (expr.ok()) {
        ADD_FAILURE() << "parsed as " << to_string(**expr);
      } else {
        EXPECT_EQ(expr.error().message, expected);
        EXPECT_EQ(expr.error().kind, ErrorKind::bad_data);
      }
      continue;
    }
    if (!expr.ok()) {
      ADD_FAILURE() << expr.error().message;
      continue;
    }
    if (line[2] == '>') {
      EXPECT_EQ(tree(**expr), expected);
    } else {
      EXPECT_EQ(to_string(**expr), expected.empty() ? query : expected);
    }
    auto again = parse_query(to_string(**expr));
    if (!again.ok()) {
      ADD_FAILURE() << "does not survive printing as " << to_string(**expr) << ": " << again.error().message;
    } else {
      EXPECT_EQ(to_string(**again), to_string(**expr));
      EXPECT_EQ(tree(**again), tree(**expr));
    }
  }
  EXPECT_GT(checked, 400);
}

std::string error_of(std::string_view query) {
  auto expr = parse_query(query);
  return expr.ok() ? "no error" : expr.error().message;
}

TEST(Parser, EmptyTextHasNoPosition) {
  EXPECT_EQ(error_of(""), "unknown position: parse error: no expression found in input");
}

TEST(Parser, RefusesInvalidUtf8) {
  EXPECT_EQ(error_of("some_metric{a=\"\xff\"}"), "1:15: parse error: invalid UTF-8 rune");
  EXPECT_EQ(error_of("label_replace(a, `b`, `c\xff`, `d`, `.*`)"), "1:23: parse error: invalid UTF-8 rune");
  EXPECT_EQ(error_of("foo \xff"), "1:5: parse error: unexpected character: '\xef\xbf\xbd'");
  EXPECT_EQ(error_of(std::string_view("a\0b", 3)), "1:2: parse error: unexpected character: '\\x00'");
  EXPECT_EQ(error_of("sum by (\"\\xff\") (a)"), "1:9: parse error: invalid label name for grouping: \"\\xff\"");
}

ExprPtr parse(std::string_view query) {
  auto expr = parse_query(query);
  if (expr.ok()) return std::move(*expr);
  ADD_FAILURE() << query << ": " << expr.error().message;
  return nullptr;
}

TEST(Parser, SelectorsCarryWhatWasWritten) {
  auto expr = parse("foo{a=\"b\"}[5m] @ 1.5 offset -1h");
  ASSERT_TRUE(expr);
  EXPECT_EQ(expr->type, ValueType::range_vector);
  const auto* matrix = expr->as<MatrixSelector>();
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->range.constant, 300'000);
  const auto& selector = *matrix->selector->as<VectorSelector>();
  EXPECT_EQ(selector.metric, "foo");
  EXPECT_THAT(selector.matchers,
              ElementsAre(*Matcher::make(MatchType::equal, "a", "b"), Matcher::equal("__name__", "foo")));
  EXPECT_EQ(selector.at.kind, AtModifier::Kind::timestamp);
  EXPECT_EQ(selector.at.timestamp, 1500);
  EXPECT_EQ(selector.offset.constant, -3'600'000);
  EXPECT_EQ(selector.offset.expr, nullptr);
}

TEST(Parser, DurationExpressionsStayExpressions) {
  auto expr = parse("foo[2*step():(5s+1s)]");
  ASSERT_TRUE(expr);
  const auto* subquery = expr->as<SubqueryExpr>();
  ASSERT_NE(subquery, nullptr);
  ASSERT_NE(subquery->range.expr, nullptr);
  EXPECT_NE(subquery->range.expr->as<BinaryExpr>(), nullptr);
  ASSERT_NE(subquery->step.expr, nullptr);
  EXPECT_NE(subquery->step.expr->as<ParenExpr>(), nullptr);
}

TEST(Parser, MatchingIsSetBetweenVectorsOnly) {
  EXPECT_FALSE(parse("foo + 1")->as<BinaryExpr>()->matching);
  EXPECT_FALSE(parse("1 + 1")->as<BinaryExpr>()->matching);
  EXPECT_EQ(parse("foo + bar")->as<BinaryExpr>()->matching->cardinality, MatchCardinality::one_to_one);
  EXPECT_EQ(parse("foo and bar")->as<BinaryExpr>()->matching->cardinality, MatchCardinality::many_to_many);
  auto expr = parse("a * on(x) group_left(y) fill_right(2) b");
  const auto& matching = *expr->as<BinaryExpr>()->matching;
  EXPECT_EQ(matching.cardinality, MatchCardinality::many_to_one);
  EXPECT_THAT(matching.labels, ElementsAre("x"));
  EXPECT_THAT(matching.include, ElementsAre("y"));
  EXPECT_FALSE(matching.fill_left);
  EXPECT_EQ(matching.fill_right, 2.0);
}

struct PositionCase {
  std::string_view query;
  std::uint32_t start;
  std::uint32_t end;
};

TEST(Parser, NodesKnowWhereTheyStand) {
  for (auto [query, start, end] : std::initializer_list<PositionCase>{
           {"  foo  ", 2, 5},
           {"foo{a=\"b\"} offset 5m", 0, 20},
           {" -1", 1, 3},
           {"(foo )", 0, 6},
           {"sum(foo) by (a) ", 0, 15},
           {"sum by (a) (foo)", 0, 16},
           {"rate(foo[5m])", 0, 13},
           {" foo + bar offset 5m ", 1, 20},
           {"foo[5m] @ start()", 0, 17},
       }) {
    auto expr = parse(query);
    ASSERT_TRUE(expr);
    EXPECT_EQ(expr->position.start, start) << query;
    EXPECT_EQ(expr->position.end, end) << query;
  }
}

TEST(Parser, MetricSelector) {
  auto matchers = parse_metric_selector("up{job=~\"a|b\"}");
  ASSERT_TRUE(matchers.ok());
  EXPECT_THAT(*matchers, ElementsAre(*Matcher::make(MatchType::regex, "job", "a|b"), Matcher::equal("__name__", "up")));
  EXPECT_TRUE(parse_metric_selector("{}").ok());
  EXPECT_TRUE(parse_metric_selector("{\"utf8.name\"}").ok());
  for (auto [text, message] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"", "unknown position: parse error: unexpected end of input"},
           {"up[5m]", "1:3: parse error: unexpected \"[\""},
           {"up + 1", "1:4: parse error: unexpected <op:+>"},
           {"1", "1:1: parse error: unexpected number \"1\""},
           {"up{", "1:4: parse error: unexpected end of input inside braces"},
           {"{a=b}", "1:4: parse error: unexpected identifier \"b\" in label matching, expected string"},
       }) {
    auto failed = parse_metric_selector(text);
    ASSERT_FALSE(failed.ok()) << text;
    EXPECT_EQ(failed.error().message, message);
  }
}

TEST(FunctionTable, EveryFunctionIsFoundAndCallable) {
  EXPECT_EQ(all_functions().size(), 90u);
  for (const auto& function : all_functions()) {
    EXPECT_EQ(find_function(function.name), &function);
    std::string call(function.name);
    const char* separator = "(";
    if (function.arg_types.empty()) call += "(";
    for (auto type : function.arg_types) {
      call += std::exchange(separator, ", ");
      call += type == ValueType::scalar           ? "1"
              : type == ValueType::string         ? "\"s\""
              : type == ValueType::instant_vector ? "{a=\"b\"}"
                                                  : "x[5m]";
    }
    call += ")";
    auto expr = parse_query(call);
    ASSERT_TRUE(expr.ok()) << call << ": " << expr.error().message;
    EXPECT_EQ((*expr)->type, function.return_type) << call;
  }
  EXPECT_EQ(find_function("Rate"), nullptr);
  EXPECT_EQ(find_function(""), nullptr);
}

}  // namespace
}  // namespace pipit
