#include "api/name_search.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

NameSearch search_for(std::vector<std::string> patterns,
                      NameSearchAlgorithm algorithm = NameSearchAlgorithm::subsequence, double threshold = 0,
                      bool case_sensitive = true) {
  return {std::move(patterns), algorithm, threshold, case_sensitive};
}

double score(const NameSearch& search, std::string_view name) { return NameScorer(search).score(name); }

TEST(NameSearch, WithoutPatternsEverythingMatches) {
  EXPECT_EQ(score(search_for({}), "up"), 1);
  EXPECT_EQ(score(search_for({""}), "up"), 1);
}

TEST(NameSearch, RunsCountSquaredAndGapsByTheirShare) {
  // Prefixes are whole matches.
  EXPECT_EQ(score(search_for({"node"}), "node_cpu"), 1);
  // A run of 3 behind 5 of 8 characters: (9 - 5/8) / 9.
  EXPECT_DOUBLE_EQ(score(search_for({"cpu"}), "node_cpu"), (9 - 5.0 / 8) / 9);
  // Two runs of 1, the first at 1, a gap of 1 between them and 1 behind: (1 - 1/5 + 1 - 1/5 - 1/10) / 4.
  EXPECT_DOUBLE_EQ(score(search_for({"bd"}), "abcde"), (2 - 2.0 / 5 - 1.0 / 10) / 4);
  // The best start counts: the second c begins the run.
  EXPECT_DOUBLE_EQ(score(search_for({"cd"}), "acxcd"), (4 - 3.0 / 5) / 4);
  EXPECT_LT(score(search_for({"cd"}), "dc"), 0);
  EXPECT_LT(score(search_for({"longer"}), "long"), 0);
}

TEST(NameSearch, ThresholdCutsAndTheBestPatternCounts) {
  EXPECT_LT(score(search_for({"bd"}, NameSearchAlgorithm::subsequence, 0.5), "abcde"), 0);
  EXPECT_EQ(score(search_for({"xx", "ab"}), "abcde"), 1);
}

TEST(NameSearch, CaseMattersUnlessToldOtherwise) {
  EXPECT_LT(score(search_for({"CPU"}), "node_cpu"), 0);
  EXPECT_GT(score(search_for({"CPU"}, NameSearchAlgorithm::subsequence, 0, false), "node_cpu"), 0.9);
}

TEST(NameSearch, CharactersNotBytes) {
  // One of two characters behind one: (1 - 1/2) / 1.
  EXPECT_DOUBLE_EQ(score(search_for({"ö"}), "äö"), 0.5);
  EXPECT_GE(score(search_for({"\xff"}), "\xff\xc3"), 0);  // whatever it is, it is no crash
}

TEST(NameSearch, JaroWinklerFindsPartsAndNamesAlike) {
  const auto alike = [](std::string pattern, double threshold, std::string_view name) {
    return score(search_for({std::move(pattern)}, NameSearchAlgorithm::jaro_winkler, threshold), name);
  };
  EXPECT_EQ(alike("node", 0, "node_cpu"), 1);
  EXPECT_EQ(alike("cpu", 0, "node_cpu"), 0.9);
  EXPECT_LT(alike("martha", 0, "marhta"), 0) << "without a threshold only parts are found";
  // The textbook's pairs.
  EXPECT_NEAR(alike("martha", 0.1, "marhta"), 0.9611, 1e-4);
  EXPECT_NEAR(alike("dwayne", 0.1, "duane"), 0.84, 1e-4);
  EXPECT_NEAR(alike("dixon", 0.1, "dicksonx"), 0.8133, 1e-4);
  EXPECT_LT(alike("martha", 0.97, "marhta"), 0);
  EXPECT_LT(alike("abc", 0.1, "xyz"), 0);
}

TEST(NameSearch, ALongNameEndsSoon) {
  // Every second character is a start, each with a walk through the whole name: for a megabyte that were minutes.
  std::string name;
  for (int i = 0; i < 500'000; ++i) name += "ab";
  EXPECT_GT(score(search_for({std::string(2'000, 'a')}), name), 0);
  EXPECT_LT(score(search_for({std::string(2'000, 'a') + "c"}), name), 0);
}

}  // namespace
}  // namespace pipit
