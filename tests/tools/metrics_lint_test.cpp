#include "tools/metrics_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tools/check_metrics.h"

namespace pipit {
namespace {

std::string lint(const std::string& page) {
  const auto families = read_families(page);
  if (!families.ok()) return families.error().message;
  std::string out;
  for (const LintProblem& problem : lint_families(*families)) out += problem.metric + " " + problem.text + "\n";
  return out;
}

TEST(MetricsLint, FindsWhatPromtoolFinds) {
  struct Case {
    const char* page;
    const char* problems;
  };
  const Case cases[] = {
      {"", ""},
      {"# HELP a x\n# TYPE a gauge\na 1\n", ""},
      {"# HELP a\na 1\n", ""},
      {"a 1", "a no help text\n"},
      {"# HELP x_total a\n# TYPE x_total gauge\nx_total 1\n",
       "x_total non-counter metrics should not have \"_total\" suffix\n"},
      {"# HELP x a\n# TYPE x counter\nx 1\n", "x counter metrics should have \"_total\" suffix\n"},
      {"# HELP fooBar a\nfooBar{aB=\"1\"} 1\nfooBar{aB=\"2\"} 1\n",
       "fooBar label names should be written in 'snake_case' not 'camelCase'\n"
       "fooBar label names should be written in 'snake_case' not 'camelCase'\n"
       "fooBar metric names should be written in 'snake_case' not 'camelCase'\n"},
      {"# HELP my_gauge_x a\nmy_gauge_x 1\n", "my_gauge_x metric name should not include type 'gauge'\n"},
      {"# HELP x_milliseconds a\nx_milliseconds 1\n",
       "x_milliseconds use base unit \"seconds\" instead of \"milliseconds\"\n"},
      {"# HELP thermometers a\nthermometers 1\n", ""},
      {"# HELP x_ms a\nx_ms 1\n", "x_ms metric names should not contain abbreviated units\n"},
      {"# HELP a:b a\na:b 1\n", "a:b metric names should not contain ':'\n"},
      {"# HELP x_count a\n# TYPE x_count gauge\nx_count{le=\"1\",quantile=\"2\"} 1\n",
       "x_count non-histogram and non-summary metrics should not have \"_count\" suffix\n"
       "x_count non-histogram metrics should not have \"le\" label\n"
       "x_count non-summary metrics should not have \"quantile\" label\n"},
      {"# HELP x_timestamp_seconds a\n# TYPE x_timestamp_seconds counter\nx_timestamp_seconds 1\n",
       "x_timestamp_seconds counter metrics should have \"_total\" suffix\n"
       "x_timestamp_seconds non-gauge metrics should not have \"_timestamp_seconds\" suffix\n"},
      {"# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n", ""},
      {"# HELP s x\n# TYPE s summary\ns{quantile=\"1\"} 1\ns_sum 1\ns_count 1\ns_bucket 1\n",
       "s_bucket no help text\n"},
      {"# HELP a x\na 1\na 2\n", "a metric not unique\n"},
      {"a 1\n# TYPE a gauge\n",
       "text format parsing error in line 2: second TYPE line for metric name \"a\", or TYPE reported after samples"},
      {"# HELP a x\n# HELP a y\n", "text format parsing error in line 2: second HELP line for metric name \"a\""},
      {"a b\n", "text format parsing error in line 1: expected a number as value, got \"b\""},
  };
  for (const Case& c : cases) EXPECT_EQ(lint(c.page), c.problems) << c.page;
}

TEST(MetricsLint, HistogramsCountTheirParts) {
  const auto families = read_families(
      "# TYPE h histogram\nh_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 1\nh_sum{a=\"1\"} "
      "1\nh_count{a=\"1\"} 1\nh_bucket{a=\"2\",le=\"1\"} 1\nx 1\nx{a=\"1\"} 2\n");
  ASSERT_TRUE(families.ok());
  ASSERT_EQ(families->size(), 2U);
  EXPECT_EQ((*families)[0].cardinality(), 8U);
  EXPECT_EQ((*families)[1].cardinality(), 2U);
}

struct Outcome {
  int code = 0;
  std::string out, err;
};

/// The command with `page` as standard input.
Outcome check(const std::string& page, const std::vector<std::string>& words) {
  const auto file = std::filesystem::temp_directory_path() / ("pipit-page-" + std::to_string(::getpid()));
  std::ofstream(file, std::ios::binary) << page;
  const int before = ::dup(STDIN_FILENO);
  EXPECT_NE(std::freopen(file.c_str(), "r", stdin), nullptr);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = check_metrics(words);
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  ::dup2(before, STDIN_FILENO);
  ::close(before);
  std::filesystem::remove(file);
  return outcome;
}

TEST(CheckMetrics, ExitCodesAreThoseOfPromtool) {
  EXPECT_EQ(check("# HELP a x\na 1\n", {}).code, 0);
  EXPECT_EQ(check("a 1\n", {}).code, 3);
  EXPECT_EQ(check("a 1\n", {}).err, "a no help text\n");
  EXPECT_EQ(check("a 1\n", {"--lint=none"}).code, 0);
  EXPECT_EQ(check("a b\n", {}).code, 1);
  EXPECT_EQ(check("a b\n", {}).err,
            "error while linting: text format parsing error in line 1: expected a number as value, got \"b\"\n");
  EXPECT_EQ(check("", {"--fromat"}).code, 2);
}

TEST(CheckMetrics, JudgesOpenMetrics) {
  EXPECT_EQ(check("a 1\n# EOF", {"--format=openmetrics"}).code, 0);
  const Outcome odd = check("# TYPE a counter\na_total -1\n# EOF\n", {"--format=openmetrics"});
  EXPECT_EQ(odd.code, 1);
  EXPECT_EQ(odd.err, "line 2: a value that counts cannot be negative\n");
  EXPECT_EQ(check("a 1\n", {"--format=openmetrics"}).err, "line 2: data does not end with # EOF\n");
}

TEST(CheckMetrics, ExtendedPrintsATable) {
  EXPECT_EQ(check("# HELP http_requests_total x\n# TYPE http_requests_total counter\nhttp_requests_total{a=\"b\"} 1\n"
                  "http_requests_total 2\n",
                  {"--extended"})
                .out,
            "Metric                 Cardinality    Percentage    \n"
            "http_requests_total    2              100.00%       \n"
            "Total                  2              100%          \n");
}

}  // namespace
}  // namespace pipit
