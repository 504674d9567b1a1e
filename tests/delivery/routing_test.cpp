// Which way alerts go, and when: tables of what Alertmanager says and does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "delivery/delivery_config.h"
#include "delivery/route.h"
#include "model/duration.h"
#include "model/time_zone.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- matchers

TEST(MatcherSyntaxTest, ReadsBothSyntaxes) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "{}"},
      {"{}", "{}"},
      {"  ", "{}"},
      {"a=b", "{a=\"b\"}"},
      {"a = b", "{a=\"b\"}"},
      {"a=\"b\"", "{a=\"b\"}"},
      {"{a=\"b\",c!~\"d\"}", "{a=\"b\",c!~\"d\"}"},
      {"{a=\"b\",}", "{a=\"b\"}"},
      {"a=\"b\" , c!=d", "{a=\"b\",c!=\"d\"}"},
      {"a=", "{a=\"\"}"},
      {"a=\"x,y\"", "{a=\"x,y\"}"},
      {"a=x y", "{a=\"x y\"}"},
      {"a=\"q\\\"q\"", "{a=\"q\\\"q\"}"},
      {"a=\"x\\ny\"", "{a=\"x\\ny\"}"},
      {"a=\"\\d\"", "{a=\"\\\\d\"}"},
      {"a=b\\", "{a=\"b\\\\\"}"},
      {"a=~[a-z]+", "{a=~\"[a-z]+\"}"},
      {"a=}", "{a=\"\"}"},
      {"Ω=b", "{Ω=\"b\"}"},
      {"\"a b\"=\"c\"", "{\"a b\"=\"c\"}"},
      {"{\"a.b\"=~\"c|d\", e=f}", "{a.b=~\"c|d\",e=\"f\"}"},
      {"\"a\\u00e4\"=b", "{aä=\"b\"}"},
      {"a-b=c", "{a-b=\"c\"}"},
  };
  for (const auto& [text, expected] : cases) {
    auto matchers = parse_alert_matchers(text);
    ASSERT_TRUE(matchers.ok()) << text << ": " << matchers.error().message;
    EXPECT_EQ(alert_matchers_text(*matchers), expected) << text;
    auto again = parse_alert_matchers(expected);
    ASSERT_TRUE(again.ok()) << expected;
    EXPECT_EQ(alert_matchers_text(*again), expected);
  }
}

TEST(MatcherSyntaxTest, RefusesAsAlertmanagerDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"a", "bad matcher format: a"},
      {"=b", "bad matcher format: =b"},
      {"a=\"b", "matcher value contains unescaped double quote: \"b"},
      {"a=b\"", "matcher value contains unescaped double quote: b\""},
      {"a=\"b\"c\"", "matcher value contains unescaped double quote: \"b\"c\""},
      {"a=\xff", "matcher value not valid UTF-8: \xff"},
      {"1a==b{", "bad matcher format: 1a==b{"},
      {"\"\"=a", "bad matcher format: \"\"=a"},
      {"a=b,,c=d", "bad matcher format: "},
  };
  for (const auto& [text, expected] : cases) {
    auto matchers = parse_alert_matchers(text);
    ASSERT_FALSE(matchers.ok()) << text << " " << alert_matchers_text(*matchers);
    EXPECT_EQ(matchers.error().message, expected);
  }
  EXPECT_FALSE(parse_alert_matchers("a=~\"(\"").ok());
  for (const char* text : {"", "{a=b}", "a=b}", "\"a b\"=c,d=e", "a"})
    EXPECT_FALSE(parse_alert_matcher(text).ok()) << text;
  EXPECT_TRUE(parse_alert_matcher("a=b,d=e").ok());  // a value with a comma
  EXPECT_TRUE(parse_alert_matcher("\"a b\"=c").ok());
}

// ---- the tree

const char* const kTree = R"(
route:
  receiver: default
  group_by: [alertname]
  routes:
    - matchers: [owner="team-A"]
      receiver: A
      group_by: [foo, bar]
      routes:
        - {match: {env: testing}, receiver: A-testing, group_by: ['...']}
        - {matchers: ['env="production"'], receiver: A-production, group_wait: 1m, continue: true}
        - {matchers: ['env=~"produ.*", job="dataloader"'], receiver: A-data, continue: true}
        - {match: {job: slow}, repeat_interval: 8h}
    - match_re: {owner: team-(B|C)}
      group_by: []
      group_interval: 10s
    - {matchers: [owner="team-A"], receiver: never}
receivers: [{name: default}, {name: A}, {name: A-testing}, {name: A-production}, {name: A-data}, {name: never}]
)";

TEST(RouteTest, TakesTheWaysThatAlertmanagerTakes) {
  auto config = parse_delivery_config(kTree, "am.yml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  struct Case {
    Labels labels;
    std::vector<std::string> expected;
  };
  const Case cases[] = {
      {{{"alertname", "x"}}, {"default {}:{alertname=\"x\"}"}},
      {{{"owner", "team-A"}, {"foo", "1"}, {"z", "2"}}, {"A {}/{owner=\"team-A\"}:{foo=\"1\"}"}},
      {{{"owner", "team-A"}, {"env", "testing"}},
       {"A-testing {}/{owner=\"team-A\"}/{env=\"testing\"}:{env=\"testing\", owner=\"team-A\"}"}},
      {{{"owner", "team-A"}, {"env", "production"}}, {"A-production {}/{owner=\"team-A\"}/{env=\"production\"}:{}"}},
      {{{"owner", "team-A"}, {"env", "production"}, {"job", "dataloader"}, {"bar", "b\"c"}},
       {"A-production {}/{owner=\"team-A\"}/{env=\"production\"}:{bar=\"b\\\"c\"}",
        "A-data {}/{owner=\"team-A\"}/{env=~\"produ.*\",job=\"dataloader\"}:{bar=\"b\\\"c\"}"}},
      {{{"owner", "team-A"}, {"job", "slow"}}, {"A {}/{owner=\"team-A\"}/{job=\"slow\"}:{}"}},
      {{{"owner", "team-B"}, {"alertname", "x"}}, {"default {}/{owner=~\"^(?:team-(B|C))$\"}:{alertname=\"x\"}"}},
      {{{"owner", "team-BC"}, {"alertname", "x"}}, {"default {}:{alertname=\"x\"}"}},
  };
  for (const Case& each : cases) {
    std::vector<std::string> found;
    for (const RouteConfig* route : matching_routes(config->route, each.labels)) {
      found.push_back(route->receiver + " " + route->key + ":" + label_set_text(group_labels(*route, each.labels)));
    }
    EXPECT_EQ(found, each.expected) << each.labels.to_string();
  }
  const RouteConfig& a = config->route.routes[0];
  EXPECT_EQ(config->route.group_wait, 30'000);
  EXPECT_EQ(config->route.group_interval, 300'000);
  EXPECT_EQ(config->route.repeat_interval, 4 * 3'600'000);
  EXPECT_EQ(a.routes[1].group_wait, 60'000);
  EXPECT_EQ(a.routes[3].repeat_interval, 8 * 3'600'000);
  EXPECT_EQ(config->route.routes[1].group_interval, 10'000);
  EXPECT_FALSE(a.group_by_all);
}

// ---- the file

std::string with_route(const std::string& more) { return "route: {receiver: r}\nreceivers: [{name: r}]\n" + more; }

TEST(DeliveryConfigTest, RefusesByLine) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "am.yml:1:1: no routes provided"},
      {"receivers: []", "am.yml:1:1: no routes provided"},
      {"route: {group_wait: 1s}", "am.yml:1:8: root route must specify a default receiver"},
      {"route: {receiver: x}", "am.yml:1:19: undefined receiver \"x\" used in route"},
      {"route: {receiver: r, match: {a: b}}\nreceivers: [{name: r}]",
       "am.yml:1:29: root route must not have any matchers"},
      {"route: {receiver: r, mute_time_intervals: [x]}\nreceivers: [{name: r}]",
       "am.yml:1:43: root route must not have any mute time intervals"},
      {"route: {receiver: r, routes: [{receiver: q}]}\nreceivers: [{name: r}]",
       "am.yml:1:42: undefined receiver \"q\" used in route"},
      {"route: {receiver: r, group_by: [a, a]}\nreceivers: [{name: r}]",
       "am.yml:1:36: duplicated label \"a\" in group_by"},
      {"route: {receiver: r, group_by: [a, '...']}\nreceivers: [{name: r}]",
       "am.yml:1:32: cannot have wildcard group_by (`...`) and other other labels at the same time"},
      {"route: {receiver: r, group_interval: 0s}\nreceivers: [{name: r}]",
       "am.yml:1:38: group_interval cannot be zero"},
      {"route: {receiver: r, routes: [{matchers: [a]}]}\nreceivers: [{name: r}]", "am.yml:1:43: bad matcher format: a"},
      {"route: {receiver: r, routes: [{match_re: {a: '('}}]}\nreceivers: [{name: r}]", "am.yml:1:46: "},
      {"route: {receiver: r, reciever: r}\nreceivers: [{name: r}]",
       "am.yml:1:22: unknown field \"reciever\" in route (did you mean \"receiver\"?)"},
      {"route: {receiver: r}\nreceivers: [{name: r}, {name: r}]",
       "am.yml:2:31: notification config name \"r\" is not unique"},
      {with_route("time_intervals: [{name: a}, {name: a}]"), "am.yml:3:36: time interval \"a\" is not unique"},
      {with_route("mute_time_intervals: [{time_intervals: []}]"), "am.yml:3:23: missing name in time interval"},
      {with_route("time_intervals: [{name: a, time_intervals: [{location: Mars/X}]}]"),
       "am.yml:3:56: unknown time zone Mars/X"},
      {with_route("time_intervals: [{name: a, time_intervals: [{weekdays: [fri]}]}]"),
       "am.yml:3:57: fri is not a valid weekday"},
      {with_route("inhibit_rules: [{source_match: {'': b}}]"), "am.yml:3:33: invalid label name \"\""},
      {with_route("inhibit_rules: [{sources: []}]"), "am.yml:3:18: unknown field \"sources\" in inhibit rule"},
      {"route: {receiver: r}\nreceivers:\n- name: r\n  pagerduty_configs: [{}]",
       "am.yml:4:3: receiver.pagerduty_configs is not supported"},
  };
  for (const auto& [yaml, expected] : cases) {
    auto config = parse_delivery_config(yaml, "am.yml");
    ASSERT_FALSE(config.ok()) << yaml;
    EXPECT_THAT(config.error().message, ::testing::StartsWith(expected)) << yaml;
  }
}

TEST(DeliveryConfigTest, ReadsAWholeFileAndShowsNoSecret) {
  auto config = parse_delivery_config(R"(
global: {resolve_timeout: 1m, smtp_smarthost: 'h:25', smtp_from: a@b, smtp_auth_password: geheim}
templates: ['t/*.tmpl']
route:
  receiver: r
  repeat_interval: 30d
  routes:
    - {receiver: r, mute_time_intervals: [old], active_time_intervals: [new], group_interval: 2h, repeat_interval: 1h}
inhibit_rules:
  - {name: n, source_match: {a: b}, source_matchers: ['c!="d"'], target_match_re: {e: f}, equal: [x, y]}
receivers: [{name: r, email_configs: [{to: x@y}]}]
mute_time_intervals: [{name: old, time_intervals: [{weekdays: ['Monday:friday'], months: [may, '7:9'], years: [2026]}]}]
time_intervals: [{name: new, time_intervals: [{days_of_month: ['1:5', '-3:-1'], location: Europe/Berlin}]}]
tracing: {endpoint: x}
)",
                                      "dir/am.yml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->defaults.resolve_timeout, 60'000);
  EXPECT_THAT(config->templates, ElementsAre("dir/t/*.tmpl"));
  EXPECT_EQ(alert_matchers_text(config->inhibit_rules[0].source), "{a=\"b\",c!=\"d\"}");
  EXPECT_EQ(alert_matchers_text(config->inhibit_rules[0].target), "{e=~\"^(?:f)$\"}");
  ASSERT_EQ(config->time_intervals.size(), 2U);
  EXPECT_EQ(config->time_intervals[0].second[0].months, (TimeInterval::Ranges{{5, 5}, {7, 9}}));
  EXPECT_THAT(config->redacted_text, ::testing::Not(HasSubstr("geheim")));
  EXPECT_EQ(config->warnings.size(), 3U);
  auto again = parse_delivery_config(config->redacted_text, "again.yml");
  EXPECT_TRUE(again.ok()) << again.error().message;
}

// ---- time intervals

TEST(TimeIntervalTest, SaysWhatIsWrong) {
  using Parse = Result<std::pair<int, int>> (*)(std::string_view);
  const std::tuple<Parse, const char*, const char*> cases[] = {
      {parse_weekday_range, "friday:monday", "start day cannot be before end day"},
      {parse_weekday_range, "monday:x", "x is not a valid weekday"},
      {parse_weekday_range, "a:b:c", "couldn't parse range a:b:c, invalid format"},
      {parse_day_of_month_range, "0", "0 is not a valid day of the month: out of range"},
      {parse_day_of_month_range, "1:32", "32 is not a valid day of the month: out of range"},
      {parse_day_of_month_range, "-3:5", "end day must be negative if start day is negative"},
      {parse_day_of_month_range, "10:-30", "end day -30 is always before start day 10"},
      {parse_month_range, "13", "13 is not a valid month"},
      {parse_month_range, "may:april", "end month april is before start month may"},
      {parse_year_range, "2026:2025", "end year 2025 is before start year 2026"},
      {parse_year_range, "x", "x is not a valid year"},
  };
  for (const auto& [parse, text, expected] : cases) {
    auto range = parse(text);
    ASSERT_FALSE(range.ok()) << text;
    EXPECT_EQ(range.error().message, expected);
  }
  EXPECT_FALSE(parse_time_range("12:00", "12:00").ok());
  EXPECT_FALSE(parse_time_range("1:00", "12:00").ok());
  EXPECT_FALSE(parse_time_range("24:01", "24:00").ok());
  EXPECT_TRUE(parse_time_range("00:00", "24:00").ok());
}

TEST(TimeIntervalTest, ContainsTimesInTheirZone) {
  struct Case {
    const char* yaml;
    const char* time;
    bool inside;
  };
  const char* const kOffice =
      "{times: [{start_time: '09:00', end_time: '17:00'}], weekdays: ['monday:friday'], location: Europe/Berlin}";
  const char* const kNight = "{times: [{start_time: '02:00', end_time: '03:00'}], location: Europe/Berlin}";
  const char* const kMonthEnd = "{days_of_month: ['-3:-1']}";
  const Case cases[] = {
      {"{}", "2026-01-01T00:00:00Z", true},
      {kOffice, "2026-11-23T07:59:59Z", false},  // Monday, winter: UTC+1
      {kOffice, "2026-11-23T08:00:00Z", true},
      {kOffice, "2026-11-23T15:59:59Z", true},
      {kOffice, "2026-11-23T16:00:00Z", false},
      {kOffice, "2026-07-06T07:00:00Z", true},  // summer: UTC+2
      {kOffice, "2026-07-06T15:00:00Z", false},
      {kOffice, "2026-11-22T10:00:00Z", false},  // Sunday
      // 2026-03-29: from 02:00 to 03:00 in one moment; the hour is not there at all.
      {kNight, "2026-03-29T00:59:59Z", false},
      {kNight, "2026-03-29T01:00:00Z", false},
      {kNight, "2026-03-28T01:30:00Z", true},
      // 2026-10-25: the hour is there twice.
      {kNight, "2026-10-25T00:30:00Z", true},
      {kNight, "2026-10-25T01:30:00Z", true},
      {kNight, "2026-10-25T02:00:00Z", false},
      {kMonthEnd, "2026-02-25T12:00:00Z", false},
      {kMonthEnd, "2026-02-26T00:00:00Z", true},
      {kMonthEnd, "2028-02-26T12:00:00Z", false},
      {kMonthEnd, "2028-02-29T12:00:00Z", true},
      {"{days_of_month: ['30:31']}", "2026-02-28T12:00:00Z", false},
      {"{days_of_month: ['28:31']}", "2026-02-28T12:00:00Z", true},
      {"{months: ['december:december', '1:2']}", "2026-12-31T23:59:59Z", true},
      {"{months: [december]}", "2027-01-01T00:00:00Z", false},
      {"{months: [december], location: America/New_York}", "2027-01-01T04:59:59Z", true},
      {"{years: ['2025:2026']}", "2026-12-31T23:00:00Z", true},
      {"{years: ['2025:2026'], location: Asia/Kolkata}", "2026-12-31T19:00:00Z", false},
      {"{times: [{start_time: '23:00', end_time: '24:00'}]}", "2026-12-31T23:59:59Z", true},
  };
  for (const Case& each : cases) {
    auto config = parse_delivery_config(
        with_route("time_intervals: [{name: a, time_intervals: [" + std::string(each.yaml) + "]}]"), "am.yml");
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_EQ(config->time_intervals[0].second[0].contains(*parse_api_time(each.time)), each.inside)
        << each.yaml << " " << each.time;
  }
}

}  // namespace
}  // namespace pipit
