#include "model/matcher.h"

#include <gmock/gmock.h>
#include <malloc.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/regex_budget.h"

namespace pipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Regex compile(std::string_view pattern) {
  auto regex = Regex::compile(pattern);
  EXPECT_TRUE(regex.ok()) << pattern;
  return *regex;
}

TEST(Regex, IsAnchoredAndDotMatchesNewlines) {
  EXPECT_TRUE(compile("a.c").full_match("a\nc"));
  EXPECT_FALSE(compile("b").full_match("abc"));
  EXPECT_FALSE(compile("a|b").full_match("ab"));
}

TEST(Regex, ABadPatternIsRefusedInTheWordsOfGo) {
  const auto regex = Regex::compile("a(");
  ASSERT_FALSE(regex.ok());
  EXPECT_EQ(regex.error().kind, ErrorKind::bad_data);
  EXPECT_THAT(regex.error().message, HasSubstr("missing closing ): `a(`"));
}

TEST(Regex, AHugeProgramIsRefused) { EXPECT_FALSE(Regex::compile("((a{1000}){1000}){1000}").ok()); }

TEST(Regex, FiniteSetsAreFound) {
  EXPECT_THAT(compile("a|b|c").literals(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(compile("(host1|host2):9100").literals(), ElementsAre("host1:9100", "host2:9100"));
  EXPECT_THAT(compile(R"(10\.0\.0\.1)").literals(), ElementsAre("10.0.0.1"));
  EXPECT_THAT(compile("(?:a|)b").literals(), ElementsAre("ab", "b"));
  EXPECT_THAT(compile("").literals(), ElementsAre(""));
  for (const char* infinite : {"a.", "ab*", "a|b+", "[ab]", "(?i)a", "(a|b)?", "^a", R"(\d)", "a{2}"}) {
    EXPECT_THAT(compile(infinite).literals(), IsEmpty()) << infinite;
  }
}

TEST(Regex, ExpansionOfASetIsBounded) {
  std::string pattern;
  for (int i = 0; i < 30; ++i) pattern += "(a|b)";
  EXPECT_THAT(compile(pattern).literals(), IsEmpty());
}

TEST(Regex, PrefixIsWhatEveryMatchStartsWith) {
  EXPECT_EQ(compile("node_.*").prefix(), "node_");
  EXPECT_EQ(compile(R"(a\.b.+)").prefix(), "a.b");
  EXPECT_EQ(compile("ab*").prefix(), "a");
  EXPECT_EQ(compile("ab?c").prefix(), "a");
  EXPECT_EQ(compile("ab+").prefix(), "ab");
  EXPECT_EQ(compile("a|b").prefix(), "");
  EXPECT_EQ(compile("ab(c|d)").prefix(), "ab");
  EXPECT_EQ(compile("ab[)]|c").prefix(), "");
  EXPECT_EQ(compile("(?i)ab").prefix(), "");
  EXPECT_EQ(compile("ä*").prefix(), "");
}

TEST(Regex, ExpandsTemplatesAsGoDoes) {
  const Regex regex = compile("(?P<host>[^:]+):(\\d+)");
  const std::pair<const char*, const char*> cases[] = {
      {"$1", "h"}, {"${1}x", "hx"}, {"$1x", ""},  {"$host-$2", "h-80"}, {"$$1", "$1"},
      {"$9", ""},  {"${", "${"},    {"a$", "a$"}, {"$0", "h:80"},
  };
  for (const auto& [replacement, expected] : cases) {
    std::string out;
    EXPECT_TRUE(regex.full_match_expand("h:80", replacement, out));
    EXPECT_EQ(out, expected) << replacement;
  }
  std::string out;
  EXPECT_FALSE(regex.full_match_expand("nothing", "$1", out));
}

TEST(Regex, OneRequestsExpressionsAreBoundedTogether) {
  std::string large;
  for (int i = 0; i < 100; ++i) large += "a{1000}";
  const auto count_compiled = [&] {
    int compiled = 0;
    while (compiled < 100 && Regex::compile(large).ok()) ++compiled;
    return compiled;
  };
  {
    const RegexBudget budget;
    EXPECT_EQ(count_compiled(), 19);
    EXPECT_FALSE(Regex::compile(large).ok());
  }
  const RegexBudget next;
  EXPECT_TRUE(Regex::compile(large).ok());
}

/// What glibc has given out.
std::size_t allocated_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(Regex, WhatOneRequestsExpressionsRememberOfTextsIsBoundedTogether) {
  // With each of them this text finds states of more than a megabyte.
  std::string text;
  std::uint32_t random = 1;
  for (int i = 0; i < 5'000; ++i) text += (random = random * 1'664'525 + 1'013'904'223) >> 31 ? 'a' : 'b';
  const RegexBudget budget;
  const std::size_t before = allocated_bytes();
  std::vector<Regex> expressions;
  for (int i = 0; i < 200; ++i) {
    auto compiled = Regex::compile(".*a.{" + std::to_string(20 + i % 40) + "}x.*|.*a.{12}b");
    ASSERT_TRUE(compiled.ok());
    expressions.push_back(std::move(*compiled));
  }
  const bool matches = expressions.front().full_match(text);
  for (const Regex& regex : expressions) EXPECT_EQ(regex.full_match(text), matches);
  EXPECT_LT(allocated_bytes() - before, std::size_t{100} << 20);
}

TEST(Regex, ABudgetWithinAnotherLeavesThatInForce) {
  std::string large;
  for (int i = 0; i < 100; ++i) large += "a{1000}";
  const RegexBudget outer;
  { const RegexBudget inner; }
  int compiled = 0;
  while (compiled < 100 && Regex::compile(large).ok()) ++compiled;
  EXPECT_LT(compiled, 100);
}

TEST(Matcher, FourKindsAndTheMissingLabel) {
  struct Case {
    MatchType type;
    const char* value;
    bool matches_a;
    bool matches_empty;
    const char* text;
  };
  const Case cases[] = {
      {MatchType::equal, "a", true, false, R"(l="a")"},      {MatchType::equal, "", false, true, R"(l="")"},
      {MatchType::not_equal, "a", false, true, R"(l!="a")"}, {MatchType::not_equal, "", true, false, R"(l!="")"},
      {MatchType::regex, "a|b", true, false, R"(l=~"a|b")"}, {MatchType::regex, ".*", true, true, R"(l=~".*")"},
      {MatchType::not_regex, "a", false, true, R"(l!~"a")"}, {MatchType::not_regex, ".+", false, true, R"(l!~".+")"},
  };
  for (const auto& c : cases) {
    const auto matcher = Matcher::make(c.type, "l", c.value);
    ASSERT_TRUE(matcher.ok());
    EXPECT_EQ(matcher->matches("a"), c.matches_a) << c.text;
    EXPECT_EQ(matcher->matches_empty(), c.matches_empty) << c.text;
    EXPECT_EQ(matcher->to_string(), c.text);
  }
}

}  // namespace
}  // namespace pipit
