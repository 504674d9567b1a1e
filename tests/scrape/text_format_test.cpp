#include "scrape/text_format.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <iterator>

#include "model/number.h"
#include "scrape/sample_value.h"
#include "scrape/series_cache.h"

namespace pipit {
namespace {

/// A page as one line a sample, `series value [@time]`, or the fault.
std::string read_page(std::string page) {
  if (!page.empty() && page.back() != '\n') page += '\n';
  LayoutPool pool;
  SeriesCache cache(pool);
  ScrapedPage scraped;
  PageFault fault;
  if (!cache.read(page, PageFormat::text, scraped, fault)) return describe_fault(fault, page);
  std::string out;
  for (std::size_t i = 0; i < scraped.values.size(); ++i) {
    out += Labels(parse_series(scraped.series_text(i))).to_string() + " " + format_float_g(scraped.values[i]);
    if (!scraped.times.empty() && scraped.times[i] != ScrapedPage::kNoTime) {
      out += " @" + std::to_string(scraped.times[i]);
    }
    out += "\n";
  }
  return out;
}

struct PageCase {
  const char* page;
  const char* expected;
};

TEST(TextFormat, ReadsWhatPrometheusReads) {
  const PageCase cases[] = {
      {"", ""},
      {"\n\n  \n\t\n", ""},
      {"a 1\n", "a 1\n"},
      {"a 1", "a 1\n"},
      {"  a \t 1 \t\n", "a 1\n"},
      {"a{} 1\n", "a 1\n"},
      {"a{b=\"c\"} 1\n", "a{b=\"c\"} 1\n"},
      {"a{b=\"c\",} 1\n", "a{b=\"c\"} 1\n"},
      {"a{b=\"c\" d=\"e\"} 1\n", "a{b=\"c\", d=\"e\"} 1\n"},
      {"a { b = \"c\" , d = \"e\" } 1\n", "a{b=\"c\", d=\"e\"} 1\n"},
      {"a{b=\"c\"}1\n", "a{b=\"c\"} 1\n"},
      {"a{z=\"1\",b=\"2\"} 1\n", "a{b=\"2\", z=\"1\"} 1\n"},
      {"a{b=\"\"} 1\n", "a 1\n"},
      {"a{b=\"}\"} 1\n", "a{b=\"}\"} 1\n"},
      {"a{b=\"\\\\ \\\" \\n \\x\"} 1\n", "a{b=\"\\\\ \\\" \\n \\\\x\"} 1\n"},
      {"a{b=\"two\nlines\"} 1\n", "a{b=\"two\\nlines\"} 1\n"},
      {"a{b=\"\xc3\xa9\"} 1\n", "a{b=\"\xc3\xa9\"} 1\n"},
      {":a:b_9 1\n", ":a:b_9 1\n"},
      {"# a comment\n#HELP also one\n# HELPER no\n#\n# \na 1\n", "a 1\n"},
      {"# HELP\n# TYPE\na 1\n", "a 1\n"},
      {"# HELP a\n# TYPE a counter\na 1\n", "a 1\n"},
      {"# UNIT a seconds\n# EOF\n", ""},
      {"a 1 123\nb 2\nc 3 -5\n", "a 1 @123\nb 2\nc 3 @-5\n"},
      {"b 2\na 1 123\n", "b 2\na 1 @123\n"},
      {"a NaN\na +Inf\na -Inf\na Inf\na nan\na inf\na -infinity\n",
       "a NaN\na +Inf\na -Inf\na +Inf\na NaN\na +Inf\na -Inf\n"},
      {"a 1e3\na 1E+3\na 1.5e-3\na .5\na 5.\na +5\na -0\na 007\n",
       "a 1000\na 1000\na 0.0015\na 0.5\na 5\na 5\na -0\na 7\n"},
      {"a 1e-400\na 4.9e-324\na 1.7976931348623157e+308\n", "a 0\na 5e-324\na 1.7976931348623157e+308\n"},
      {"a 1844674407370955161500\na 9007199254740993\na 123456789012345678901234567890\n",
       "a 1.8446744073709552e+21\na 9.007199254740992e+15\na 1.2345678901234568e+29\n"},
      {"{\"a b\"} 1\n", "{\"a b\"} 1\n"},
      {"{\"a.b\",\"c d\"=\"e\"} 1\n", "{\"a.b\", \"c d\"=\"e\"} 1\n"},
      {"{x=\"y\",\"a.b\"} 1\n", "{\"a.b\", x=\"y\"} 1\n"},
      {"a{\"c d\"=\"e\"} 1\n", "a{\"c d\"=\"e\"} 1\n"},
      {"a{b=\"c\"} 1\na{b=\"c\"} 2\n", "a{b=\"c\"} 1\na{b=\"c\"} 2\n"},
  };
  for (const PageCase& c : cases) EXPECT_EQ(read_page(c.page), c.expected) << c.page;
}

TEST(TextFormat, NamesTheLineAndTheFault) {
  const PageCase cases[] = {
      {"a\n", "line 1: expected value after metric, got the end of the line"},
      {"a{b=\"c\"}\n", "line 1: expected value after metric, got the end of the line"},
      {"ok 1\n\n# x\na b\n", "line 4: expected a number as value, got \"b\""},
      {"a 1 2 3\n", "line 1: expected next entry after timestamp, got \"3\""},
      {"a 1 x\n", "line 1: expected timestamp or new record, got \"x\""},
      {"a 1 1.5\n", "line 1: expected next entry after timestamp, got \".5\""},
      {"a 1 99999999999999999999\n", "line 1: expected timestamp or new record, got \"99999999999999999999\""},
      {"a 1\r\n", "line 1: expected a number as value, got \"1\\r\""},
      {"a 0x1p3\n", "line 1: expected a number as value, got \"0x1p3\""},
      {"a 1_000\n", "line 1: expected a number as value, got \"1_000\""},
      {"a 1e400\n", "line 1: expected a number as value, got \"1e400\""},
      {"a 1e\n", "line 1: expected a number as value, got \"1e\""},
      {"a 1.2.3\n", "line 1: expected a number as value, got \"1.2.3\""},
      {"a +-1\n", "line 1: expected a number as value, got \"+-1\""},
      {"9a 1\n", "line 1: expected a metric name, '{' or '#', got \"9a 1\""},
      {"<html>\n", "line 1: expected a metric name, '{' or '#', got \"<html>\""},
      {"a{b} 1\n", "line 1: expected equal sign after label name, got \"} 1\""},
      {"a{b=c} 1\n", "line 1: expected label value in quotes, got \"c} 1\""},
      {"a{b=\"c} 1\nd 2\n", "line 1: expected the closing quote of a label value, got \"\\\"c} 1\""},
      {"a{b=\"c\" 1\n", "line 1: expected label name, got \"1\""},
      {"a{9=\"c\"} 1\n", "line 1: expected label name, got \"9=\\\"c\\\"} 1\""},
      {"a{=\"c\"} 1\n", "line 1: expected label name, got \"=\\\"c\\\"} 1\""},
      {"ok 1\na{b=\"\xff\"} 1\n", "line 2: invalid UTF-8 in label value, got \"\\\"\\xff\\\"} 1\""},
      {"{b=\"c\"} 1\n", "line 1: expected a metric name, got \"{b=\\\"c\\\"} 1\""},
      {"a{\"b\"} 1\n", "line 1: metric name already set, got \"\\\"b\\\"} 1\""},
      {"{\"\"} 1\n", "line 1: expected a name that is not empty, got \"\\\"\\\"} 1\""},
      {"# TYPE a thing\n", "line 1: invalid metric type, got \" thing\""},
      {"# TYPE a\n", "line 1: invalid metric type, got the end of the line"},
      {"# HELP 9\n", "line 1: expected metric name after HELP, got \"9\""},
      {"# HELP a \xff\n", "line 1: help text is not valid UTF-8, got \" \\xff\""},
      {"a{} {} 1\n", "line 1: expected value after metric, got \"{} 1\""},
  };
  for (const PageCase& c : cases) EXPECT_EQ(read_page(c.page), c.expected) << c.page;
}

TEST(TextFormat, KeepsMetadata) {
  const std::string page =
      "# HELP a  two\\nlines \\\\ \\\"x\\\" \n#\tTYPE \t a \t counter \na 1\n# TYPE \"b.c\" untyped\n";
  LayoutPool pool;
  ScrapedPage scraped;
  PageFault fault;
  ASSERT_TRUE(SeriesCache(pool).read(page, PageFormat::text, scraped, fault));
  const auto& metadata = scraped.metadata;
  ASSERT_EQ(metadata.size(), 3U);
  EXPECT_EQ(metadata[0].metric, "a");
  EXPECT_EQ(unescape_text(metadata[0].text, false), "two\nlines \\ \\\"x\\\" ");
  EXPECT_EQ(metadata[1].kind, MetadataLine::Kind::type);
  EXPECT_EQ(metadata[1].type, MetricType::counter);
  EXPECT_EQ(metadata[2].metric, "b.c");
  EXPECT_EQ(metadata[2].type, MetricType::unknown);
}

TEST(TextFormat, NaNHasOneForm) {
  SampleTail tail;
  PageFault fault;
  ASSERT_NE(parse_sample_tail("nAn\n", tail, fault), nullptr);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(tail.value), kNormalNaNBits);
}

/// The fast path answers only what is exact, and then exactly.
TEST(TextFormat, FastNumbersAreCorrectlyRounded) {
  std::uint64_t state = 42;
  auto random = [&state](std::uint64_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % below;
  };
  int fast = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string digits;
    for (std::uint64_t n = 1 + random(20); n > 0; --n) digits += static_cast<char>('0' + random(10));
    if (random(2) == 0) digits.insert(random(digits.size() + 1), ".");
    if (random(3) == 0) digits += (random(2) == 0 ? "e+" : "e-") + std::to_string(random(25));
    if (random(4) == 0) digits.insert(0, "-");
    double got = 0;
    digits += "\n";
    const char* end = read_exact_decimal(digits.c_str(), got);
    if (end == nullptr) continue;
    ++fast;
    ASSERT_EQ(*end, '\n') << digits;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(got), std::bit_cast<std::uint64_t>(std::strtod(digits.c_str(), nullptr)))
        << digits;
  }
  EXPECT_GT(fast, 25'000);
}

TEST(TextFormat, ReadsLargeRealPages) {
  for (const char* name : {"alltypes.237mfs.prom.txt", "alltypes.237mfs.nometa.prom.txt"}) {
    std::ifstream file(std::string(PIPIT_SOURCE_DIR "/../shared/conformance/exposition/") + name, std::ios::binary);
    if (!file) {
      std::printf("skipped: no ../shared/conformance/exposition/%s\n", name);
      continue;
    }
    const std::string page((std::istreambuf_iterator<char>(file)), {});
    const std::string read = read_page(page);
    EXPECT_FALSE(read.starts_with("line ")) << read.substr(0, 200);
    EXPECT_GT(std::count(read.begin(), read.end(), '\n'), 237);
  }
}

}  // namespace
}  // namespace pipit
