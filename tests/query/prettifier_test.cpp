#include <gtest/gtest.h>

#include <string>

#include "query/parser.h"

namespace pipit {
namespace {

struct Case {
  const char* query;
  const char* pretty;
};

// The first in each row is longer than 100 bytes where it is broken. What Prometheus 3.14 answers to format_query.
const Case kCases[] = {
    {"foo/bar", "foo / bar"},
    {"sum(rate(a[5m]))by(job)", "sum by (job) (rate(a[5m]))"},
    {"{__name__=\"a\",b=\"c\"}", "{__name__=\"a\",b=\"c\"}"},
    {"1e6", "1000000"},
    {"task:errors:rate10s{job=\"s\"} unless on (job, instance) job:other_errors:rate10s{job=\"s\", "
     "instance=\"localhost\"}",
     "  task:errors:rate10s{job=\"s\"}\n"
     "unless on (job, instance)\n"
     "  job:other_errors:rate10s{instance=\"localhost\",job=\"s\"}"},
    {"sum without (job, foo) (rate(http_requests_total{job=\"api-server\", handler=\"/query\", "
     "instance=\"localhost:9090\"}[5m]))",
     "sum without (job, foo) (\n"
     "  rate(http_requests_total{handler=\"/query\",instance=\"localhost:9090\",job=\"api-server\"}[5m])\n"
     ")"},
    {"topk(3, http_requests_total{job=\"api-server\", handler=\"/query\", instance=\"localhost:9090\", code=\"200\", "
     "method=\"get\"})",
     "topk(\n"
     "  3,\n"
     "  "
     "http_requests_total{code=\"200\",handler=\"/"
     "query\",instance=\"localhost:9090\",job=\"api-server\",method=\"get\"}\n"
     ")"},
    {"label_replace(up{job=\"api-server\",service=\"a:c\",instance=\"localhost:9090\"}, \"foo\", \"$1\", \"service\", "
     "\"(.*):.*\")",
     "label_replace(\n"
     "  up{instance=\"localhost:9090\",job=\"api-server\",service=\"a:c\"},\n"
     "  \"foo\",\n"
     "  \"$1\",\n"
     "  \"service\",\n"
     "  \"(.*):.*\"\n"
     ")"},
    {"((requests_total{job=\"api-server\", handler=\"/query\"} + server_errors_total{job=\"api-server\", "
     "handler=\"/query\"})) > bool 100",
     "  (\n"
     "    (\n"
     "        requests_total{handler=\"/query\",job=\"api-server\"}\n"
     "      +\n"
     "        server_errors_total{handler=\"/query\",job=\"api-server\"}\n"
     "    )\n"
     "  )\n"
     "> bool\n"
     "  100"},
    {"-sum(rate(http_requests_total{job=\"api-server\", handler=\"/query\", instance=\"localhost:9090\", "
     "code=\"200\"}[5m]))",
     "-sum(\n"
     "  rate(\n"
     "    http_requests_total{code=\"200\",handler=\"/query\",instance=\"localhost:9090\",job=\"api-server\"}[5m]\n"
     "  )\n"
     ")"},
    {"max_over_time(sum by (job) (rate(http_requests_total{job=\"api-server\", handler=\"/query\", "
     "code=\"200\"}[5m]))[30m:1m] offset 1d)",
     "max_over_time(\n"
     "  sum by (job) (rate(http_requests_total{code=\"200\",handler=\"/query\",job=\"api-server\"}[5m]))[30m:1m] "
     "offset 1d\n"
     ")"},
};

TEST(Prettify, BreaksWhatIsLongerThanALine) {
  for (const auto& c : kCases) {
    auto expr = parse_query(c.query);
    ASSERT_TRUE(expr.ok()) << c.query << ": " << expr.error().message;
    const auto pretty = prettify(**expr);
    EXPECT_EQ(pretty, c.pretty) << c.query;
    auto again = parse_query(pretty);
    ASSERT_TRUE(again.ok()) << pretty << ": " << again.error().message;
    EXPECT_EQ(to_string(**again), to_string(**expr));
  }
}

TEST(Prettify, TakesLinearTime) {
  std::string deep = "\"" + std::string(1 << 20, 'x') + "\"";
  deep = "label_replace(a, \"b\", " + deep + ", \"c\", \"d\")";
  for (int i = 0; i < 490; ++i) deep = "abs(" + deep + ")";
  auto expr = parse_query(deep);
  ASSERT_TRUE(expr.ok()) << expr.error().message;
  EXPECT_GT(prettify(**expr).size(), deep.size());
}

}  // namespace
}  // namespace pipit
