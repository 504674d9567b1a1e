#include "scrape/openmetrics.h"

#include <gtest/gtest.h>

#include "model/number.h"
#include "scrape/series_cache.h"
#include "tests/scrape/conformance_pages.h"

namespace pipit {
namespace {

/// A page as one line a sample, `series value [@time] [# labels value [@time]]`, or the fault.
std::string read_page(std::string page, SeriesCache& cache) {
  if (!page.empty() && page.back() != '\n') page += '\n';
  ScrapedPage scraped;
  PageFault fault;
  if (!cache.read(page, PageFormat::openmetrics, scraped, fault)) return describe_fault(fault, page);
  std::string out;
  std::size_t exemplar = 0;
  for (std::size_t i = 0; i < scraped.values.size(); ++i) {
    scraped.refs[i] = i + 1;
    out += Labels(parse_series(scraped.series_text(i))).to_string() + " " + format_float_g(scraped.values[i]);
    if (!scraped.times.empty() && scraped.times[i] != ScrapedPage::kNoTime) {
      out += " @" + std::to_string(scraped.times[i]);
    }
    if (exemplar < scraped.exemplars.size() && scraped.exemplars[exemplar].sample == i) {
      const ExemplarText& text = scraped.exemplars[exemplar++].text;
      out += " # " + parse_exemplar_labels(text.labels).to_string() + " " + format_float_g(text.value);
      if (text.has_time) out += " @" + std::to_string(text.time);
    }
    out += "\n";
  }
  EXPECT_EQ(exemplar, scraped.exemplars.size());
  cache.commit(scraped, false);
  return out;
}

struct PageCase {
  const char* page;
  const char* expected;
};

TEST(OpenMetrics, ReadsWhatPrometheusReads) {
  const PageCase cases[] = {
      {"# EOF", ""},
      {"# EOF\n", ""},
      {"# TYPE a counter\n# HELP a x\n# UNIT a \na_total 1\n# EOF\n", "a_total 1\n"},
      {"a 1 2\n# EOF\n", "a 1 @2000\n"},
      {"a 1 1.5e3\n# EOF\n", "a 1 @1500000\n"},
      {"a 1 -0.0019\n# EOF\n", "a 1 @-1\n"},
      {"a 1 12345678901234567890\n# EOF\n", "a 1 @9000000000000000000\n"},
      {"a{} 1\n# EOF\n", "a 1\n"},
      {"a{b=\"c # {\"} 1\n# EOF\n", "a{b=\"c # {\"} 1\n"},
      {"a{b=\"\\\"\\\\\\n\\x\"} 1\n# EOF\n", "a{b=\"\\\"\\\\\\n\\\\x\"} 1\n"},
      {"{\"a.b\",\"c d\"=\"e\"} 1\n# EOF\n", "{\"a.b\", \"c d\"=\"e\"} 1\n"},
      {"a NaN\nb +Inf\nc -inf\n# EOF\n", "a NaN\nb +Inf\nc -Inf\n"},
      {"a_total 1 # {b=\"c\"} 0.5\n# EOF\n", "a_total 1 # {b=\"c\"} 0.5\n"},
      {"a_bucket{le=\"1\"} 1 2 # {b=\"c\",d=\" # \"} 0.5 1.25\nb 1\n# EOF\n",
       "a_bucket{le=\"1\"} 1 @2000 # {b=\"c\", d=\" # \"} 0.5 @1250\nb 1\n"},
      {"{\"a.b_total\"} 1 # {} 1\n# EOF\n", "{\"a.b_total\"} 1 # {} 1\n"},
      // Faults of meaning are taken.
      {"# TYPE a counter\na -1\n# TYPE a gauge\n# EOF\n", "a -1\n"},
  };
  for (const PageCase& c : cases) {
    LayoutPool pool;
    SeriesCache cache(pool);
    EXPECT_EQ(read_page(c.page, cache), c.expected) << c.page;
    EXPECT_EQ(read_page(c.page, cache), c.expected) << "once more: " << c.page;
  }
}

TEST(OpenMetrics, RefusesFaultsOfSyntaxByLine) {
  const PageCase cases[] = {
      {"", "line 1: data does not end with # EOF"},
      {"a 1\n", "line 2: data does not end with # EOF"},
      {"a 1\n# EOF\n\n", "line 3: unexpected data after # EOF, got the end of the line"},
      {"a 1\n# EOFb\n", "line 2: unexpected data after # EOF, got \"b\""},
      {"\n# EOF\n", "line 1: expected a valid start token, got the end of the line"},
      {"#a\n# EOF\n", "line 1: expected a valid start token, got \"#a\""},
      {"# a\n# EOF\n", "line 1: expected a valid start token, got \"# a\""},
      {" a 1\n# EOF\n", "line 1: expected a valid start token, got \" a 1\""},
      {"a  1\n# EOF\n", "line 1: expected value after metric, got \" 1\""},
      {"a 1 \n# EOF\n", "line 1: expected timestamp, got the end of the line"},
      {"a 0x1\n# EOF\n", "line 1: expected value after metric, got \"0x1\""},
      {"a 1 NaN\n# EOF\n", "line 1: invalid timestamp, got \"NaN\""},
      {"a 1 2 3\n# EOF\n", "line 1: expected next entry after timestamp, got \" 3\""},
      {"a{b} 1\n# EOF\n", "line 1: expected equal, got \"} 1\""},
      {"a{b=\"c\"d=\"e\"} 1\n# EOF\n", "line 1: expected comma or brace close, got \"d=\\\"e\\\"} 1\""},
      {"a{b=\"two\nlines\"} 1\n# EOF\n", "line 1: expected label value, got \"\\\"two\""},
      {"a 1 #\n# EOF\n", "line 1: expected timestamp, got \"#\""},
      {"a{b=\"c\",} 1\n# EOF\n", "line 1: expected label name, got \"} 1\""},
      {"a 1 # {b=\"c\"} 1\n# EOF\n", "line 1: metric name a does not support exemplars"},
      {"a_total 1 # {b=\"c\"} \n# EOF\n", "line 1: expected value after exemplar labels, got the end of the line"},
      {"a_total 1 # {\"b\"} 1\n# EOF\n", "line 1: expected equal, got \"} 1\""},
      {"# TYPE a untyped\n# EOF\n", "line 1: invalid metric type, got \"untyped\""},
      {"# TYPE a gauge \n# EOF\n", "line 1: invalid metric type, got \"gauge \""},
      {"# HELP a\n# EOF\n", "line 1: expected text in HELP, got the end of the line"},
      {"# UNIT a_b c\n# EOF\n", "line 1: unit not a suffix of metric, got \"a_b c\""},
  };
  for (const PageCase& c : cases) {
    LayoutPool pool;
    SeriesCache cache(pool);
    EXPECT_EQ(read_page(c.page, cache), c.expected) << c.page;
  }
}

TEST(OpenMetrics, ATargetThatChangesItsFormatIsReadAnew) {
  LayoutPool pool;
  SeriesCache cache(pool);
  ScrapedPage page;
  PageFault fault;
  const std::string text = "a  1 1000\nb 2\n";
  ASSERT_TRUE(cache.read(text, PageFormat::text, page, fault));
  for (std::uint32_t i : page.fresh) page.refs[i] = i + 1;
  cache.commit(page, false);
  EXPECT_EQ(read_page("a  1 1000\nb 2\n# EOF\n", cache), "line 1: expected value after metric, got \" 1 1000\"");
  const std::string openmetrics = "a 1 1000\nb 2\n# EOF\n";
  ASSERT_TRUE(cache.read(openmetrics, PageFormat::openmetrics, page, fault));
  EXPECT_EQ(page.fresh.size(), 0U) << "the series are the same";
  EXPECT_EQ(page.times[0], 1'000'000);
  cache.commit(page, false);
  ASSERT_TRUE(cache.read(text, PageFormat::text, page, fault));
  EXPECT_EQ(page.fresh.size(), 0U);
  EXPECT_EQ(page.times[0], 1000);
}

TEST(OpenMetrics, LinesOfTheOtherFormatAreNotTakenForThisOnes) {
  LayoutPool pool;
  SeriesCache cache(pool);
  ScrapedPage page;
  PageFault fault;
  const std::string text = "a 1\nb{c=\"d\"}1\n";
  ASSERT_TRUE(cache.read(text, PageFormat::text, page, fault));
  for (std::uint32_t i : page.fresh) page.refs[i] = i + 1;
  cache.commit(page, false);
  EXPECT_EQ(read_page("a 1\nb{c=\"d\"}1\n# EOF\n", cache), "line 2: expected value after metric, got \"1\"");
}

TEST(OpenMetrics, TheScraperTakesEveryPageThatPrometheusTakes) {
  int good = 0;
  int odd = 0;
  int bad = 0;
  for (const ConformancePage& page : conformance_pages()) {
    LayoutPool pool;
    SeriesCache cache(pool);
    ScrapedPage scraped;
    PageFault fault;
    std::string text = page.text;
    if (!text.ends_with('\n')) text += '\n';
    bool taken = cache.read(text, PageFormat::openmetrics, scraped, fault);
    // A label that occurs twice is found when a series is new, by the target's writer.
    if (page.name == "bad_invalid_labels_5") taken = false;
    if (page.valid) {
      EXPECT_TRUE(taken) << page.name << ": " << describe_fault(fault, text);
      ++good;
    } else {
      ++(taken ? odd : bad);
    }
  }
  if (good == 0) GTEST_SKIP() << "no ../shared/conformance/openmetrics";
  EXPECT_EQ(odd, 51);
  EXPECT_EQ(bad, 75);
}

}  // namespace
}  // namespace pipit
