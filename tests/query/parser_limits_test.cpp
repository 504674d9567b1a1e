// Queries made to hurt: deep, long, or both. Each must end in an answer or an error, on the stack of a worker thread.
#include <gtest/gtest.h>
#include <pthread.h>

#include <functional>
#include <string>

#include "query/parser.h"

namespace pipit {
namespace {

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

/// Runs `work` on a thread with a small stack, so that recursion that grows with the query shows.
void on_small_stack(const std::function<void()>& work) {
#if defined(__SANITIZE_ADDRESS__)
  constexpr std::size_t kStackBytes = 2 << 20;
#else
  constexpr std::size_t kStackBytes = 512 << 10;
#endif
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, kStackBytes), 0);
  pthread_t thread;
  auto run = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&work)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

/// Parses, prints, parses again, destroys. "" or the error.
std::string outcome(const std::string& query) {
  std::string message;
  on_small_stack([&] {
    auto expr = parse_query(query);
    if (!expr.ok()) {
      message = expr.error().message;
      return;
    }
    auto printed = to_string(**expr);
    auto again = parse_query(printed);
    message = again.ok() ? "" : "printed form: " + again.error().message;
  });
  return message;
}

constexpr std::string_view kTooDeep = "query nests more than 500 levels of operators, calls and parentheses";

void expect_too_deep(const std::string& query) {
  auto message = outcome(query);
  EXPECT_TRUE(message.ends_with(kTooDeep)) << message << " for " << query.substr(0, 40);
}

TEST(ParserLimits, ManyLevelsAreRead) {
  constexpr int kLevels = kMaxQueryDepth - 1;
  EXPECT_EQ(outcome(repeat("(", kLevels) + "1" + repeat(")", kLevels)), "");
  EXPECT_EQ(outcome(repeat("abs(", kLevels) + "a" + repeat(")", kLevels)), "");
  EXPECT_EQ(outcome(repeat("sum(", kLevels) + "a" + repeat(")", kLevels)), "");
  EXPECT_EQ(outcome(repeat("- ", kLevels) + "a"), "");
  EXPECT_EQ(outcome(repeat("a ^ ", kLevels) + "a"), "");
  EXPECT_EQ(outcome(repeat("a + ", kLevels) + "a"), "");
  EXPECT_EQ(outcome("a[" + repeat("-(", 200) + "step()" + repeat(")", 200) + "]"), "");
}

TEST(ParserLimits, MoreIsAnError) {
  for (int levels : {kMaxQueryDepth, 20'000}) {
    expect_too_deep(repeat("(", levels) + "1" + repeat(")", levels));
    expect_too_deep(repeat("abs(", levels) + "a" + repeat(")", levels));
    expect_too_deep(repeat("sum by (x) (", levels) + "a" + repeat(")", levels));
    expect_too_deep(repeat("- ", levels) + "a");
    expect_too_deep(repeat("a ^ ", levels) + "a");
    expect_too_deep(repeat("a + ", levels) + "a");
    expect_too_deep(repeat("1 * ", levels) + "1");
    expect_too_deep(repeat("(-", levels) + "a" + repeat(")", levels));
    expect_too_deep("a" + repeat("[1m:]", levels));
    expect_too_deep("a[" + repeat("(-", levels) + "5m" + repeat(")", levels) + "]");
    expect_too_deep("a[" + repeat("1+", levels) + "1]");
    expect_too_deep("a offset (" + repeat("max_of(step(),", levels) + "1" + repeat(")", levels) + ")");
  }
  expect_too_deep("(" + repeat("-{}-1", 10'000) + ")" + repeat("[1m:]", 1'000));
}

TEST(ParserLimits, ManyTokensAreAnError) {
  EXPECT_EQ(outcome("label_join(a, \"b\", \",\"" + repeat(",\"c\"", 49'995) + ")"), "");
  for (int more : {50'000, 1'000'000}) {
    auto message = outcome("label_join(a, \"b\", \",\"" + repeat(",\"c\"", more) + ")");
    EXPECT_TRUE(message.ends_with("parse error: query has more than 100000 tokens")) << message;
  }
}

TEST(ParserLimits, UnbalancedBracketsAreNamed) {
  auto message = outcome(repeat("(", 50'000));
  EXPECT_TRUE(message.ends_with(kTooDeep) || message.ends_with("unclosed left parenthesis")) << message;
  EXPECT_EQ(outcome(repeat("[", 100'000)), "1:1: parse error: unexpected \"[\"");
  EXPECT_EQ(outcome(repeat("{", 100'000)), "1:2: parse error: unexpected left brace '{'");
  EXPECT_EQ(outcome(repeat(")", 100'000)), "1:2: parse error: unexpected right parenthesis ')'");
}

// Nothing here is a matter of depth, and all of it has to be linear, or the test takes minutes.
TEST(ParserLimits, LongQueriesAreQuick) {
  EXPECT_EQ(outcome("-" + repeat("-", 3'000) + "1"), "");
  EXPECT_EQ(outcome("a{" + repeat("b=\"c\",", 20'000) + "}"), "");
  EXPECT_EQ(outcome("sum by (" + repeat("label,", 20'000) + ") (a)"), "");
  auto labels = repeat("label,", 20'000);
  EXPECT_EQ(outcome("a + on (" + labels + ") group_left (" + repeat("other,", 20'000) + ") b"), "");
  EXPECT_EQ(outcome("label_join(a, \"b\", \",\"" + repeat(", \"c\"", 20'000) + ")"), "");
  EXPECT_EQ(outcome("\"" + repeat("\\u1234x", 100'000) + "\""), "");
  EXPECT_EQ(outcome(repeat("a", 1'000'000)), "");
  EXPECT_EQ(outcome(repeat(" \n# comment", 100'000) + "\na"), "");
  EXPECT_EQ(outcome("a" + repeat(" offset 0s", 20'000)), "");
  EXPECT_EQ(outcome(repeat("\n", 100'000) + "a b"), "100001:3: parse error: unexpected identifier \"b\"");
}

}  // namespace
}  // namespace pipit
