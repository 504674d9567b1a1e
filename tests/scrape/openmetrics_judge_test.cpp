#include "scrape/openmetrics_judge.h"

#include <gtest/gtest.h>

#include "tests/scrape/conformance_pages.h"

namespace pipit {
namespace {

std::string judge(std::string page) {
  if (!page.ends_with('\n')) page += '\n';
  const PageJudgement judgement = judge_openmetrics(page);
  std::string out;
  for (const PageFault& fault : judgement.meaning) out += describe_fault(fault, page) + "\n";
  if (judgement.syntax) out += describe_fault(*judgement.syntax, page) + "\n";
  EXPECT_EQ(out.empty(), judgement.ok());
  return out;
}

TEST(OpenMetricsJudge, AgreesWithTheStandardsOwnTests) {
  const auto pages = conformance_pages();
  if (pages.empty()) GTEST_SKIP() << "no ../shared/conformance/openmetrics";
  for (const ConformancePage& page : pages) {
    const std::string faults = judge(page.text);
    EXPECT_EQ(faults.empty(), page.valid) << page.name << ": " << faults << page.text;
  }
}

TEST(OpenMetricsJudge, SaysWhatIsWrongAndWhere) {
  struct Case {
    const char* page;
    const char* faults;
  };
  const Case cases[] = {
      {"# EOF", ""},
      {"# TYPE a counter\na 1\n# EOF",
       "line 2: the name a is that of another metric of the page, or its samples are not together\n"},
      {"# TYPE a counter\na_total -1\n# EOF", "line 2: a value that counts cannot be negative\n"},
      {"a 1\nb 1\na 2\n# EOF",
       "line 3: the name a is that of another metric of the page, or its samples are not together\n"},
      {"a{b=\"1\"} 1\na{b=\"2\"} 1\na{b=\"1\"} 1\n# EOF", "line 3: the samples of a metric are not together\n"},
      {"a 1\na 1\n# EOF", "line 2: the series occurs twice\n"},
      {"a 1 2\na 1 1\n# EOF", "line 2: timestamps of a metric go backwards\n"},
      {"# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 1\n# EOF",
       "line 3: buckets are out of order\nline 3: a bucket has less than the one before it\n"},
      {"# TYPE h histogram\nh_bucket{le=\"1\"} 1.5\nh_bucket{le=\"+Inf\"} 2\n# EOF",
       "line 2: a count must be a whole number\n"},
      {"# TYPE a gauge\n# TYPE a gauge\na 1\n# EOF", "line 2: more than one TYPE for a\n"},
      {"# TYPE a_total gauge\na_total 1 # {b=\"c\"} 1\n# EOF", "line 2: only buckets and totals have exemplars\n"},
      {"a 1\nb\n# EOF", "line 2: expected value after metric, got the end of the line\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(judge(c.page), c.faults) << c.page;
}

TEST(OpenMetricsJudge, KeepsABoundedListOfFaults) {
  std::string page;
  for (int i = 0; i < 1000; ++i) page += "a 1\n";
  const PageJudgement judgement = judge_openmetrics(page + "# EOF\n");
  EXPECT_EQ(judgement.meaning.size(), PageJudgement::kMostFaults);
  EXPECT_EQ(judgement.meaning_count, 999U);
}

}  // namespace
}  // namespace pipit
