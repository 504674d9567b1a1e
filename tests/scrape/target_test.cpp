#include "scrape/target.h"

#include <gtest/gtest.h>

#include "scrape/schedule.h"

namespace pipit {
namespace {

ScrapeConfig one_target(const std::string& address) {
  ScrapeConfig config;
  config.job_name = "j";
  config.static_configs = {{{address}, {}}};
  return config;
}

RelabelConfig set_label(const std::string& target, const std::string& value) {
  RelabelConfig step;
  step.regex = Regex::compile(".*").value();
  step.target_label = target;
  step.replacement = value;
  return step;
}

TEST(Target, HasPrometheusesLabels) {
  auto config = one_target("host:9100");
  config.static_configs[0].labels = {{"env", "prod"}, {"__meta_x", "gone"}, {"__kept", "inside"}};
  config.params = {{"module", {"http_2xx", "other"}}};
  const TargetSet set = build_targets(config);
  ASSERT_EQ(set.active.size(), 1U);
  EXPECT_EQ(set.active[0].discovered.to_string(),
            "{__address__=\"host:9100\", __kept=\"inside\", __meta_x=\"gone\", __metrics_path__=\"/metrics\", "
            "__param_module=\"http_2xx\", __scheme__=\"http\", __scrape_interval__=\"1m\", __scrape_timeout__=\"10s\", "
            "env=\"prod\", job=\"j\"}");
  EXPECT_EQ(set.active[0].public_labels().to_string(), "{env=\"prod\", instance=\"host:9100\", job=\"j\"}");
  EXPECT_FALSE(set.active[0].labels.has("__meta_x"));
  EXPECT_EQ(set.active[0].url.text, "http://host:9100/metrics?module=http_2xx&module=other");
}

struct UrlCase {
  std::vector<RelabelConfig> steps;
  const char* address;
  const char* url;
  const char* host;
  int port;
};

TEST(Target, RelabellingDecidesTheUrl) {
  const UrlCase cases[] = {
      {{}, "host", "http://host/metrics", "host", 80},
      {{set_label("__scheme__", "https")}, "host", "https://host/metrics", "host", 443},
      {{}, "[::1]:9100", "http://[::1]:9100/metrics", "::1", 9100},
      {{}, "[::1]", "http://[::1]/metrics", "::1", 80},
      {{set_label("__address__", "other:1")}, "host", "http://other:1/metrics", "other", 1},
      {{set_label("__metrics_path__", "a b/%c")}, "host", "http://host/a%20b/%25c", "host", 80},
      {{set_label("__param_x", "a b&c=d")}, "host", "http://host/metrics?x=a+b%26c%3Dd", "host", 80},
  };
  for (const UrlCase& c : cases) {
    auto config = one_target(c.address);
    config.relabel_configs = c.steps;
    const TargetSet set = build_targets(config);
    ASSERT_EQ(set.active.size(), 1U) << c.url;
    EXPECT_EQ(set.active[0].url.text, c.url);
    EXPECT_EQ(set.active[0].url.endpoint.host, c.host);
    EXPECT_EQ(set.active[0].url.endpoint.port, c.port);
  }
}

struct ErrorCase {
  std::vector<RelabelConfig> steps;
  const char* address;
  const char* error;
};

TEST(Target, InvalidOnesAreDroppedWithTheReason) {
  const ErrorCase cases[] = {
      {{set_label("__address__", "")}, "host", "no address"},
      {{}, "host/path", "\"host/path\" is not a valid hostname"},
      {{}, "http://host", "\"http://host\" is not a valid hostname"},
      {{set_label("__scheme__", "ftp")}, "h", "unsupported scheme \"ftp\" of target h, expected http or https"},
      {{set_label("__scrape_interval__", "soon")},
       "h",
       "error parsing scrape interval: not a valid duration string: \"soon\""},
      {{set_label("__scrape_interval__", "0s")}, "h", "scrape interval cannot be 0"},
      {{set_label("__scrape_timeout__", "2m")},
       "h",
       "scrape timeout cannot be greater than scrape interval (\"2m\" > \"1m\")"},
      {{set_label("bad", "\xff")}, "h", "invalid label value for \"bad\""},
  };
  for (const ErrorCase& c : cases) {
    auto config = one_target(c.address);
    config.relabel_configs = c.steps;
    const TargetSet set = build_targets(config);
    EXPECT_TRUE(set.active.empty()) << c.error;
    EXPECT_EQ(set.dropped.size(), 1U) << c.error;
    ASSERT_EQ(set.errors.size(), 1U) << c.error;
    EXPECT_EQ(set.errors[0], c.error);
  }
}

TEST(Target, AnAddressThatMakesNoSenseIsATargetThatIsDown) {
  const ErrorCase cases[] = {
      {{}, "host:port", "invalid port \"port\" in \"http://host:port/metrics\""},
      {{}, "host:99999", "invalid port \"99999\" in \"http://host:99999/metrics\""},
      {{}, "::1", "too many colons in address; an IPv6 address needs brackets: [::1] in \"http://::1/metrics\""},
      {{}, "[::1", "missing ']' in address in \"http://[::1/metrics\""},
      {{}, ":80", "no host in address in \"http://:80/metrics\""},
  };
  for (const ErrorCase& c : cases) {
    const TargetSet set = build_targets(one_target(c.address));
    ASSERT_EQ(set.active.size(), 1U) << c.error;
    EXPECT_EQ(set.active[0].fault, c.error);
    EXPECT_EQ(set.active[0].url.text, std::string("http://") + c.address + "/metrics");
    EXPECT_EQ(set.active[0].labels.get("instance"), c.address);
  }
}

TEST(Target, DuplicatesAreScrapedOnceAndDroppedOnesKept) {
  ScrapeConfig config = one_target("a:1");
  config.static_configs = {{{"a:1", "b:1", "a:1"}, {}}, {{"a:1"}, {{"x", "y"}}}};
  RelabelConfig drop;
  drop.source_labels = {"__address__"};
  drop.regex = Regex::compile("b:1").value();
  drop.action = RelabelAction::drop;
  config.relabel_configs = {drop};
  const TargetSet set = build_targets(config);
  EXPECT_EQ(set.active.size(), 2U);
  ASSERT_EQ(set.dropped.size(), 1U);
  EXPECT_EQ(set.dropped[0].get("__address__"), "b:1");
  EXPECT_TRUE(set.errors.empty());
}

TEST(Target, LocationsResolve) {
  const HttpUrl base = parse_http_url("https://h:8/a/b?c").value();
  const std::pair<const char*, const char*> cases[] = {
      {"http://x/y", "http://x/y"}, {"//x/y", "https://x/y"},    {"/y?z", "https://h:8/y?z"},
      {"y", "https://h:8/a/y"},     {"?z", "https://h:8/a/b?z"}, {"y?u=http://z", "https://h:8/a/y?u=http://z"},
  };
  for (const auto& [location, expected] : cases) {
    auto url = resolve_location(base, location);
    ASSERT_TRUE(url.ok()) << location;
    EXPECT_EQ(url->text, expected);
  }
  EXPECT_FALSE(resolve_location(base, "file:///etc/passwd").ok());
  EXPECT_FALSE(resolve_location(base, "http://a b/").ok());
  const auto with_password = resolve_location(base, "http://us%40er:pa%3Ass@x/y");
  ASSERT_TRUE(with_password.ok());
  EXPECT_EQ(with_password->user_info, "us@er:pa:ss");
  EXPECT_EQ(with_password->authority, "x");
  EXPECT_EQ(with_password->text, "http://us%40er:xxxxx@x/y") << "passwords are not shown";
}

TEST(Schedule, SlotsAreMultiplesOfTheIntervalPlusTheOffset) {
  Schedule schedule(1234, 1000);  // offset 234
  EXPECT_EQ(schedule.next(5'000'000'000).time, 5'000'234);
  EXPECT_EQ(schedule.next(5'000'300'000).time, 5'001'234);
  EXPECT_EQ(schedule.timestamp(5'001'235'999), 5'001'234);
  EXPECT_EQ(schedule.timestamp(5'001'236'001), 5'001'236);
  Schedule restarted(1234, 1000);
  EXPECT_EQ(restarted.next(5'001'300'000).time, 5'002'234);
}

TEST(Schedule, MissedSlotsAreCountedAndSmallDelaysForgiven) {
  Schedule schedule(0, 1000);
  EXPECT_EQ(schedule.next(999'999).time, 1000);
  auto late = schedule.next(2'050'000);
  EXPECT_EQ(late.time, 2000);
  EXPECT_EQ(late.missed, 0U);
  auto missed = schedule.next(5'500'000);
  EXPECT_EQ(missed.time, 6000);
  EXPECT_EQ(missed.missed, 3U);
  auto clock_set_back = schedule.next(1'500'000);
  EXPECT_EQ(clock_set_back.time, 2000);
  EXPECT_EQ(clock_set_back.missed, 0U);
}

}  // namespace
}  // namespace pipit
