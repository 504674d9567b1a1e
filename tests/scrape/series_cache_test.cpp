#include "scrape/series_cache.h"

#include <gtest/gtest.h>

#include <map>

namespace pipit {
namespace {

/// Feeds pages to a cache as a target's writer does, with references 1, 2, 3... in order of appearance.
class SeriesCacheTest : public ::testing::Test {
 protected:
  /// What the page brought: `series=ref value` for each sample, `+` before fresh ones, then `gone ref`s.
  std::string take(std::string page_text) {
    page_text_ = std::move(page_text);
    PageFault fault;
    if (!cache_.read(page_text_, PageFormat::text, page_, fault)) return describe_fault(fault, page_text_);
    std::string out;
    std::vector<bool> fresh(page_.refs.size());
    for (std::uint32_t i : page_.fresh) {
      fresh[i] = true;
      auto [known, is_new] = by_labels_.try_emplace(Labels(parse_series(page_.series_text(i))), by_labels_.size() + 1);
      page_.refs[i] = known->second;
    }
    for (std::size_t i = 0; i < page_.refs.size(); ++i) {
      out += (fresh[i] ? "+" : "") + std::to_string(page_.refs[i]) + ":" +
             std::to_string(static_cast<int>(page_.values[i])) + " ";
    }
    std::vector<SeriesRef> gone;
    cache_.vanished(page_, gone);
    for (SeriesRef ref : gone) out += "gone" + std::to_string(ref) + " ";
    cache_.commit(page_, false);
    if (!out.empty()) out.pop_back();
    return out;
  }

  std::string live() const {
    std::vector<SeriesRef> refs;
    cache_.live(refs);
    std::string out;
    for (SeriesRef ref : refs) out += std::to_string(ref);
    return out;
  }

  LayoutPool pool_;
  SeriesCache cache_{pool_};
  ScrapedPage page_;
  std::string page_text_;
  std::map<Labels, SeriesRef> by_labels_;
};

TEST_F(SeriesCacheTest, UnchangedLayoutBringsValuesOnly) {
  EXPECT_EQ(take("# HELP a x\na 1\nb{c=\"d\"} 2\n"), "+1:1 +2:2");
  EXPECT_EQ(page_.metadata.size(), 1U);
  EXPECT_EQ(take("# HELP a x\na 3\nb{c=\"d\"} 40\n"), "1:3 2:40");
  EXPECT_EQ(page_.metadata.size(), 0U);
}

TEST_F(SeriesCacheTest, SeriesMoveAppearAndVanish) {
  EXPECT_EQ(take("a 1\nb 2\nc 3\nd 4\n"), "+1:1 +2:2 +3:3 +4:4");
  EXPECT_EQ(take("d 1\nc 2\nb 3\na 4\n"), "4:1 3:2 2:3 1:4");
  EXPECT_EQ(take("a 1\nx 9\nb 2\nc 3\nd 4\n"), "1:1 +5:9 2:2 3:3 4:4");
  EXPECT_EQ(take("a 1\nx 9\nd 4\n"), "1:1 5:9 4:4 gone2 gone3");
  EXPECT_EQ(take("a 1\nx 9\n"), "1:1 5:9 gone4");
  EXPECT_EQ(take("x 9\n"), "5:9 gone1");
  EXPECT_EQ(take(""), "gone5");
  EXPECT_EQ(take(""), "");
  EXPECT_EQ(take("a 1\n"), "+1:1");
}

TEST_F(SeriesCacheTest, ChangedMetadataIsSeenAndSeriesStay) {
  take("# TYPE a counter\na 1\nb 1\n");
  EXPECT_EQ(take("# TYPE a gauge\na 2\nb 2\n"), "1:2 2:2");
  ASSERT_EQ(page_.metadata.size(), 1U);
  EXPECT_EQ(page_.metadata[0].type, MetricType::gauge);
  EXPECT_EQ(take("# TYPE a gauge\na 2\nb 2\n# HELP c later\n"), "1:2 2:2");
  EXPECT_EQ(page_.metadata.size(), 1U);
  EXPECT_EQ(take("# TYPE a gauge\na 2\nb 2\n# HELP c later\n"), "1:2 2:2");
  EXPECT_EQ(page_.metadata.size(), 0U);
}

TEST_F(SeriesCacheTest, ALongerSeriesIsNotMistakenForItsPrefix) {
  EXPECT_EQ(take("a 1\na1 2\n"), "+1:1 +2:2");
  EXPECT_EQ(take("a {b=\"1\"} 1\na1 2\n"), "+3:1 2:2 gone1");
  EXPECT_EQ(take("a 12\na 2\n"), "+1:12 +1:2 gone2 gone3");
}

TEST_F(SeriesCacheTest, ANumberThatTouchesANameIsNotMistakenForPartOfIt) {
  EXPECT_EQ(take("a.5\nb 1\n"), "+1:0 +2:1");
  EXPECT_EQ(take("a.7\nb 1\n"), "1:0 2:1");
  EXPECT_EQ(take("a7\nb 1\n"), "line 1: expected value after metric, got the end of the line");
}

TEST_F(SeriesCacheTest, OneSeriesUnderTwoTextsDoesNotVanish) {
  take("a{x=\"1\",y=\"2\"} 1\n");
  EXPECT_EQ(take("a{y=\"2\",x=\"1\"} 2\n"), "+1:2");
  EXPECT_EQ(take("a{y=\"2\",x=\"1\"} 2\na{y=\"2\",x=\"1\"} 3\n"), "1:2 1:3");
  EXPECT_EQ(take("a{y=\"2\",x=\"1\"} 2\n"), "1:2");
}

TEST_F(SeriesCacheTest, ABrokenPageLeavesNoTrace) {
  take("a 1\nb 2\n");
  EXPECT_EQ(take("a 1\nx 1\nb {\n"), "line 3: expected label name, got the end of the line");
  EXPECT_EQ(take("a 3\nb 4\n"), "1:3 2:4");
  EXPECT_EQ(take("a 3\nb 4z\n"), "line 2: expected a number as value, got \"4z\"");
  EXPECT_EQ(live(), "12");
}

TEST_F(SeriesCacheTest, SeriesWithTimestampsOfTheirOwnDoNotVanish) {
  take("a 1 1000\nb 2\n");
  EXPECT_EQ(live(), "2");
  EXPECT_EQ(take("c 3\n"), "+3:3 gone2");
}

TEST_F(SeriesCacheTest, ForgottenTextsAreFreshAndTheirSeriesCount) {
  take("a 1\nb 2\n");
  cache_.forget_texts();
  EXPECT_EQ(live(), "12");
  EXPECT_EQ(take("a 1\n"), "+1:1 gone2");
}

TEST_F(SeriesCacheTest, TargetsOfOneExporterShareTheirLines) {
  std::string page;
  for (int i = 0; i < 500; ++i) {
    page += "# HELP metric_" + std::to_string(i) + " says something about it\nmetric_" + std::to_string(i) + " 1\n";
  }
  take(page);
  const std::size_t one = pool_.bytes();
  {
    SeriesCache other(pool_);
    ScrapedPage scraped;
    PageFault fault;
    page += "own 1\n";
    ASSERT_TRUE(other.read(page, PageFormat::text, scraped, fault));
    other.commit(scraped, false);
    EXPECT_LT(pool_.bytes(), one + one / 8);
  }
  take("");
  EXPECT_EQ(pool_.bytes(), 0U);
}

}  // namespace
}  // namespace pipit
