#include "tools/serve_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tools/serve_flags.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<ServeOptions> build(const std::vector<const char*>& arguments) {
  const auto flags = ParsedFlags::parse(serve_flags(), arguments);
  if (!flags.ok()) return flags.error();
  return build_serve_options(*flags);
}

std::string error_of(const char* argument) {
  const auto options = build({argument});
  return options.ok() ? "no error" : options.error().message;
}

TEST(ServeOptions, DefaultsArePrometheus) {
  const auto options = build({});
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->config_file, "prometheus.yml");
  EXPECT_EQ(options->data_path, "data/");
  EXPECT_FALSE(options->retention.has_value());
  EXPECT_THAT(options->server.listen_addresses, ElementsAre("0.0.0.0:9090"));
  EXPECT_EQ(options->server.read_timeout, 300'000);
  EXPECT_EQ(options->server.max_connections, 512u);
  EXPECT_FALSE(options->server.enable_lifecycle);
  EXPECT_EQ(options->engine.timeout, 120'000);
  EXPECT_EQ(options->engine.max_samples, 50'000'000u);
  EXPECT_EQ(options->engine.max_memory, 1'073'741'824u);
  EXPECT_EQ(options->engine.max_concurrency, 20u);
  EXPECT_EQ(options->engine.lookback_delta, 300'000);
  EXPECT_EQ(options->log_level, LogLevel::info);
}

TEST(ServeOptions, FlagsAreRead) {
  const auto options =
      build({"--config.file=/etc/p.yml", "--storage.tsdb.path=/var/lib/p", "--web.external-url=http://h/p/",
             "--web.route-prefix=/r", "--web.page-title=Home", "--web.cors.origin=https://x", "--web.read-timeout=1m",
             "--web.max-connections=5", "--web.enable-lifecycle", "--query.timeout=3s", "--query.max-samples=1e6",
             "--query.max-concurrency=2", "--query.max-memory=64MB", "--query.lookback-delta=1m", "--log.level=warn", "--log.format=json",
             "--web.listen-address=[::1]:0", "--web.listen-address=:9091"});
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->config_file, "/etc/p.yml");
  EXPECT_EQ(options->data_path, "/var/lib/p");
  EXPECT_EQ(options->server.external_url, "http://h/p/");
  EXPECT_EQ(options->server.route_prefix, "/r");
  EXPECT_EQ(options->server.page_title, "Home");
  EXPECT_EQ(options->server.cors_origin, "https://x");
  EXPECT_EQ(options->server.read_timeout, 60'000);
  EXPECT_EQ(options->server.max_connections, 5u);
  EXPECT_TRUE(options->server.enable_lifecycle);
  EXPECT_THAT(options->server.listen_addresses, ElementsAre("[::1]:0", ":9091"));
  EXPECT_EQ(options->engine.timeout, 3'000);
  EXPECT_EQ(options->engine.max_samples, 1'000'000u);
  EXPECT_EQ(options->engine.max_memory, 64u << 20);
  EXPECT_EQ(options->engine.max_concurrency, 2u);
  EXPECT_EQ(options->engine.lookback_delta, 60'000);
  EXPECT_EQ(options->log_level, LogLevel::warn);
  EXPECT_EQ(options->log_format, LogFormat::json);
}

TEST(ServeOptions, RetentionHasAnOldName) {
  EXPECT_EQ(build({"--storage.tsdb.retention.time=30d"})->retention, 30LL * 24 * 3600 * 1000);
  EXPECT_EQ(build({"--storage.tsdb.retention=7d"})->retention, 7LL * 24 * 3600 * 1000);
  EXPECT_EQ(build({"--storage.tsdb.retention=7d", "--storage.tsdb.retention.time=1d"})->retention, 24LL * 3600 * 1000);
  EXPECT_FALSE(build({"--storage.tsdb.retention.time=0s"})->retention.has_value()) << "0 is not set";
  EXPECT_EQ(build({"--storage.tsdb.retention.time=200y"})->retention, 100LL * 365 * 24 * 3600 * 1000);
}

TEST(ServeOptions, RetentionBySize) {
  EXPECT_EQ(build({})->retention_bytes, 0u);
  EXPECT_EQ(build({"--storage.tsdb.retention.size=512MB"})->retention_bytes, 512u << 20);
  EXPECT_EQ(build({"--storage.tsdb.retention.size=1.5GiB"})->retention_bytes, 1536u << 20);
  EXPECT_EQ(build({"--storage.tsdb.retention.size=0"})->retention_bytes, 0u);
}

TEST(ServeOptions, BadValuesAreNamed) {
  EXPECT_THAT(error_of("--web.listen-address=9090"), HasSubstr("flag --web.listen-address: the port is missing"));
  EXPECT_THAT(error_of("--web.listen-address=a:99999"), HasSubstr("the port must be a number from 0 to 65535"));
  EXPECT_THAT(error_of("--web.listen-address=::1:9090"), HasSubstr("an IPv6 address needs brackets"));
  EXPECT_THAT(error_of("--web.external-url='http://a'"), HasSubstr("must not begin or end with quotes"));
  EXPECT_THAT(error_of("--web.external-url=ftp://a"), HasSubstr("must begin with http:// or https://"));
  EXPECT_THAT(error_of("--web.external-url=http:///a"), HasSubstr("the host is missing"));
  EXPECT_THAT(error_of("--web.cors.origin=("), HasSubstr("flag --web.cors.origin: error parsing regexp"));
  EXPECT_THAT(error_of("--web.max-connections=0"), HasSubstr("flag --web.max-connections: must be from 1"));
  EXPECT_THAT(error_of("--query.max-concurrency=-1"), HasSubstr("flag --query.max-concurrency: must be from 1"));
  EXPECT_THAT(error_of("--query.timeout=0s"), HasSubstr("flag --query.timeout: must be more than 0"));
  EXPECT_THAT(error_of("--config.file="), HasSubstr("flag --config.file: must name a file"));
}

}  // namespace
}  // namespace pipit
