#include "tools/query_listing.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

constexpr std::string_view kSeries = R"([{"__name__":"up","job":"a"},{"__name__":"up","zone":"x,y"}])";
constexpr std::string_view kExemplars = R"([{"seriesLabels":{"__name__":"d_bucket","le":"1"},"exemplars":[
  {"labels":{"trace_id":"abc"},"value":"0.5","timestamp":1700000000.25}]}])";

std::string table(QueryKind kind, std::string_view data) {
  QueryListing listing;
  EXPECT_TRUE(read_listing(kind, data, false, listing));
  return format_table(listing);
}

std::string csv(QueryKind kind, std::string_view data) {
  QueryListing listing;
  EXPECT_TRUE(read_listing(kind, data, true, listing));
  return format_csv(listing);
}

TEST(QueryListing, SeriesAreWrittenAsPromqlOrAColumnALabel) {
  EXPECT_EQ(table(QueryKind::series, kSeries), "up{job=\"a\"}\nup{zone=\"x,y\"}\n");
  EXPECT_EQ(csv(QueryKind::series, kSeries), "__name__,job,zone\nup,a,\nup,,\"x,y\"\n");
}

TEST(QueryListing, LabelsAreALineEachWithoutControlCharacters) {
  EXPECT_EQ(table(QueryKind::labels, R"(["a","b\u001bc"])"), "a\nb c\n");
  EXPECT_EQ(table(QueryKind::labels, "[]"), "");
}

TEST(QueryListing, ExemplarsKeepTheirOwnLabelsApart) {
  EXPECT_EQ(table(QueryKind::exemplars, kExemplars),
            "time                      value  series            exemplar\n"
            "2023-11-14T22:13:20.250Z  0.5    d_bucket{le=\"1\"}  {trace_id=\"abc\"}\n");
  EXPECT_EQ(csv(QueryKind::exemplars, kExemplars),
            "timestamp,value,__name__,le,exemplar_trace_id\n1700000000.25,0.5,d_bucket,1,abc\n");
}

TEST(QueryListing, MetricsHaveTheMetadataOfTheirFamily) {
  QueryListing listing;
  ASSERT_TRUE(read_metrics(R"(["d_bucket","d_sum","up"])",
                           R"({"d":[{"type":"histogram","help":"How long.","unit":"seconds"}]})", "", listing));
  EXPECT_EQ(format_table(listing),
            "name      type       unit     help\n"
            "d_bucket  histogram  seconds  How long.\n"
            "d_sum     histogram  seconds  How long.\n"
            "up\n");
  QueryListing some;
  ASSERT_TRUE(read_metrics(R"(["d_bucket","up"])", "{}", "u", some));
  EXPECT_EQ(format_json(some),
            R"([{"name":"d_bucket","type":"","unit":"","help":""},{"name":"up","type":"","unit":"","help":""}])");
}

TEST(QueryListing, AnythingElseIsRefused) {
  QueryListing listing;
  for (const std::string_view data : {"", "{}", "[1]", "[{\"a\":1}]", "null"}) {
    EXPECT_FALSE(read_listing(QueryKind::series, data, false, listing)) << data;
    EXPECT_FALSE(read_listing(QueryKind::labels, data, false, listing)) << data;
    EXPECT_FALSE(read_listing(QueryKind::exemplars, data, false, listing)) << data;
  }
  EXPECT_FALSE(read_metrics("[]", "[]", "", listing));
}

}  // namespace
}  // namespace pipit
