#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/temporary_folder.h"
#include "tools/rule_test_runner.h"

namespace pipit {
namespace {

const std::filesystem::path kConformance = PIPIT_SOURCE_DIR "/../shared/conformance/rule_tests";

std::string failures_of(const std::string& file, const RuleTestOptions& options = {}) {
  const auto outcomes = run_rule_tests(kConformance / file, options);
  if (!outcomes.ok()) return outcomes.error().message;
  std::string text;
  for (const RuleTestOutcome& outcome : *outcomes) {
    for (const std::string& failure : outcome.failures) text += failure + "\n";
  }
  return text;
}

TEST(RuleTestsTest, UpstreamsTestsPassAndFailAsTheirNamesSay) {
  if (!std::filesystem::exists(kConformance)) {
    std::printf("skipped: %s is missing\n", kConformance.c_str());
    return;
  }
  for (const char* file : {"unittest.yml", "long-period.yml", "start-time-test.yml", "at-modifier-test.yml",
                           "negative-offset-test.yml", "no-test-group-interval.yml"}) {
    EXPECT_EQ(failures_of(file), "") << file;
  }
  for (const char* file : {"bad-input-series.yml", "bad-promql.yml", "bad-rules-error-test.yml",
                           "bad-rules-syntax-test.yml", "failing.yml", "rules_run.yml", "rules_run_fuzzy.yml",
                           "rules_run_no_fuzzy.yml", "rules_run_extrafields.yml"}) {
    EXPECT_NE(failures_of(file), "") << file;
  }
  RuleTestOptions correct;
  correct.run = {*Regex::compile(".*correct.*")};
  EXPECT_EQ(failures_of("rules_run.yml", correct), "");
  EXPECT_EQ(failures_of("rules_run_fuzzy.yml", correct), "");
  EXPECT_NE(failures_of("rules_run_no_fuzzy.yml", correct), "");
  RuleTestOptions lenient;
  lenient.ignore_unknown_fields = true;
  EXPECT_EQ(failures_of("rules_run_extrafields.yml", lenient), "");
}

TEST(RuleTestsTest, DebugTellsWhatTheStoreHas) {
  TemporaryFolder folder;
  std::ofstream(folder.path() / "r.yml") << "groups: [{name: g, rules: [{record: x, expr: up * 2}]}]\n";
  std::ofstream(folder.path() / "t.yml") << "rule_files: [r.yml]\ntests:\n- interval: 1m\n"
                                            "  input_series: [{series: 'up{job=\"a\"}', values: '1 0.5 stale'}]\n"
                                            "  promql_expr_test: [{expr: x, eval_time: 2m}]\n";
  RuleTestOptions options;
  options.debug = true;
  const auto outcomes = run_rule_tests(folder.path() / "t.yml", options);
  ASSERT_TRUE(outcomes.ok()) << outcomes.error().message;
  ASSERT_EQ(outcomes->size(), 1u);
  EXPECT_THAT(outcomes->front().failures, testing::IsEmpty());
  EXPECT_THAT(outcomes->front().stored,
              testing::ElementsAre("up{job=\"a\"} 1@0s 0.5@1m stale@2m", "x{job=\"a\"} 2@0s 1@1m stale@2m"));
}

TEST(RuleTestsTest, AnInterruptedTestIsNotPassed) {
  TemporaryFolder folder;
  std::ofstream(folder.path() / "t.yml") << "tests:\n- promql_expr_test: [{expr: x, eval_time: 2m}]\n";
  const std::atomic<bool> interrupted{true};
  RuleTestOptions options;
  options.interrupted = &interrupted;
  EXPECT_FALSE(run_rule_tests(folder.path() / "t.yml", options).ok());
}

TEST(RuleTestsTest, ReadyMadeRulesPassTheirTests) {
  const std::filesystem::path folder = PIPIT_SOURCE_DIR "/tools/rules";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().string().ends_with("_test.yml")) continue;
    ++files;
    const auto outcomes = run_rule_tests(entry.path(), {});
    ASSERT_TRUE(outcomes.ok()) << outcomes.error().message;
    EXPECT_FALSE(outcomes->empty()) << entry.path();
    for (const RuleTestOutcome& outcome : *outcomes) {
      EXPECT_THAT(outcome.failures, testing::IsEmpty()) << entry.path() << ": " << outcome.name;
    }
  }
  EXPECT_GE(files, 6u);
}

}  // namespace
}  // namespace pipit
