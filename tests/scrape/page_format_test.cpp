#include "scrape/page_format.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

TEST(PageFormat, TargetsAreAskedForFormatsAsPrometheusAsks) {
  ScrapeConfig config;
  EXPECT_EQ(accept_header(config),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
  config.scrape_protocols = {ScrapeProtocol::text_0_0_4};
  EXPECT_EQ(accept_header(config), "text/plain;version=0.0.4;q=0.6,*/*;q=0.5");
  config.scrape_protocols = {ScrapeProtocol::text_1_0_0, ScrapeProtocol::openmetrics_1_0_0};
  config.name_escaping = NameEscaping::underscores;
  EXPECT_EQ(accept_header(config),
            "text/plain;version=1.0.0;escaping=underscores;q=0.6,"
            "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,*/*;q=0.4");
}

TEST(PageFormat, ContentTypeDecidesAndTheFallbackHelps) {
  const std::string unsupported = " and no fallback_scrape_protocol specified for target";
  struct Case {
    const char* type;
    const char* without;  ///< "text", "openmetrics" or the error
    const char* with;     ///< with OpenMetrics as fallback
  };
  const Case cases[] = {
      {"text/plain", "text", "text"},
      {"text/plain; version=0.0.4; charset=utf-8", "text", "text"},
      {"TEXT/Plain;version=1.0.0", "text", "text"},
      {"text/plain;", "text", "text"},
      {"text/plain; a=\"b;c\"", "text", "text"},
      {"application/openmetrics-text; version=1.0.0; charset=utf-8", "openmetrics", "openmetrics"},
      {"application/openmetrics-text", "openmetrics", "openmetrics"},
      {"",
       "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target",
       "openmetrics"},
      {"text/html",
       "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target",
       "openmetrics"},
      {"text/plain; version",
       "cannot parse Content-Type \"text/plain; version\" and no fallback_scrape_protocol for target", "openmetrics"},
      {"text/plain; a=b; a=c",
       "cannot parse Content-Type \"text/plain; a=b; a=c\" and no fallback_scrape_protocol for target", "openmetrics"},
      {"text//plain", "cannot parse Content-Type \"text//plain\" and no fallback_scrape_protocol for target",
       "openmetrics"},
      {";", "cannot parse Content-Type \";\" and no fallback_scrape_protocol for target", "openmetrics"},
  };
  const auto describe = [](const Result<PageFormat>& format) {
    if (!format.ok()) return format.error().message;
    return std::string(*format == PageFormat::text ? "text" : "openmetrics");
  };
  for (const Case& c : cases) {
    EXPECT_EQ(describe(page_format(c.type, std::nullopt)), c.without) << c.type;
    EXPECT_EQ(describe(page_format(c.type, ScrapeProtocol::openmetrics_1_0_0)), c.with) << c.type;
  }
}

}  // namespace
}  // namespace pipit
