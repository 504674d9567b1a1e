#include "delivery/notification_templates.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "delivery/text_limits.h"
#include "tests/delivery/integration_fixture.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;

struct Case {
  const char* text;
  const char* expected;  ///< or the error
};

std::string expand(const std::string& text, bool html = false) {
  static const auto templates = *NotificationTemplates::load({});
  const TemplateValue data = NotificationTemplates::data(test_notification(), "http://pipit:9090");
  auto out = html ? templates->expand_html(text, data, kTestNow) : templates->expand(text, data, kTestNow);
  return out.ok() ? *out : out.error().message;
}

// What `amtool template render` of Alertmanager 0.25 makes of them, where it has the function.
TEST(NotificationTemplatesTest, ExpandsAsAlertmanagerDoes) {
  const Case cases[] = {
      {R"t({{ .GroupLabels.SortedPairs.Values | join " " }})t", "Down"},
      {R"t({{ (.CommonLabels.Remove (stringSlice "severity")).Names }})t", "[alertname]"},
      {R"t({{ "hELLO foo-bar it's a_b x.y p:q" | title }})t", "Hello Foo-Bar It's A_b X.y P:q"},
      {R"t({{ .Status }} {{ .Receiver }} {{ .ExternalURL }})t", "firing web \"team\" http://pipit:9090"},
      {R"t({{ range .Alerts }}{{ .Status }}:{{ .Labels.instance }};{{ end }})t", "firing:a:80;resolved:b:80;"},
      {R"t({{ len .Alerts }}{{ len .Alerts.Firing }}{{ .Alerts.Resolved | len }})t", "211"},
      {R"t({{ (index .Alerts 0).Labels.nothing }}|)t", "|"},
      {R"t({{ (index .Alerts 1).EndsAt.Format "15:04" }} {{ (index .Alerts 0).EndsAt.IsZero }})t", "05:40 true"},
      {R"t({{ (index .Alerts 0).Fingerprint | len }})t", "16"},
      {R"t({{ .CommonAnnotations.summary }}|{{ .CommonLabels.instance }}|{{ .CommonLabels.severity }})t",
       "It is down||page"},
      {R"t({{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }})t", "alertname=Down;severity=page;"},
      {R"t({{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }},{{ end }})t", "alertname=Down,severity=page,"},
      {R"t({{ if .Alerts.Firing }}y{{ end }}{{ with .CommonLabels.nope }}n{{ else }}e{{ end }})t", "ye"},
      {R"t({{ reReplaceAll "(a)(.)" "$2-$1" "abac" }})t", "b-ac-a"},
      {R"t({{ match "^D" "Down" }} {{ trimSpace "  x " }} {{ toUpper "ab" }}{{ toLower "AB" }})t", "true x ABab"},
      {R"t({{ urlUnescape "a%20b+c" }} {{ "q q" | urlquery }})t", "a b c q+q"},
      {R"t({{ (index .Alerts 1).StartsAt | date "2006-01-02" }})t", "2026-11-23"},
      {R"t({{ (index .Alerts 1).StartsAt | tz "Europe/Berlin" | date "15:04 MST -07:00" }})t", "06:30 CET +01:00"},
      {R"t({{ since (index .Alerts 1).StartsAt }} {{ since (index .Alerts 1).StartsAt | humanizeDuration }})t",
       "10m0s 10m 0s"},
      {R"t({{ .GroupLabels | toJson }} {{ "<" | toJson }})t", "{\"alertname\":\"Down\"} \"\\u003c\""},
      {R"t({{ (dict "a" (list 1 2)).a }} {{ append (list "x") "y" | join "," }})t", "[1 2] x,y"},
      {R"t({{ template "__subject" . }})t", "[FIRING:1] Down (page)"},
      {R"t({{ .Nothing }})t",
       "template: :1:3: executing \"\" at <.Nothing>: can't evaluate field Nothing in type *template.Data"},
      {R"t({{ nosuch }})t", "template: :1: function \"nosuch\" not defined"},
      {R"t({{ "a b" | safeHtml | toUpper }})t",
       "template: :1:22: executing \"\" at <toUpper>: error calling toUpper: wrong type for value; expected string; "
       "got "
       "template.HTML"},
      {R"t({{ tz "Mars/Olympus" (index .Alerts 0).StartsAt }})t",
       "template: :1:3: executing \"\" at <tz>: error calling tz: unknown time zone Mars/Olympus"},
  };
  for (const Case& each : cases) EXPECT_EQ(expand(each.text), each.expected) << each.text;
  EXPECT_THAT(expand(R"t({{ template "nope" . }})t"), HasSubstr("template \"nope\" not defined"));
}

TEST(NotificationTemplatesTest, EscapesByWhereItStandsInHtml) {
  const Case cases[] = {
      {R"t({{ range .Alerts }}{{ .Labels.evil }}{{ end }})t", "&lt;b&gt;&#34;&#39;&amp;"},
      {R"t(<a href="{{ (index .Alerts 0).GeneratorURL }}" title={{ (index .Alerts 0).Labels.evil }}>)t",
       "<a href=\"http://p/graph?x=1&amp;y=2\" title=&lt;b&gt;&#34;&#39;&amp;>"},
      {R"t(<a href="x?y={{ .Receiver }}">)t", "<a href=\"x?y=web%20%22team%22\">"},
      {R"t(<a href="x?y={{ .Receiver | urlquery }}">)t", "<a href=\"x?y=web&#43;%22team%22\">"},
      {R"t({{ .Receiver | html }})t", "web &#34;team&#34;"},
      {R"t({{ "<b>" | safeHtml }})t", "<b>"},
      {R"t(<a href="{{ "javascript:alert(1)" }}">)t", "<a href=\"#ZgotmplZ\">"},
      {R"t(<a href="{{ "javascript:void" | safeUrl }}">)t", "<a href=\"javascript:void\">"},
      {R"t(<a href="{{ "a+b'c" }}/{{ "d/e" }}">)t", "<a href=\"a&#43;b%27c/d/e\">"},
      {R"t(<p style="color:{{ .Status }}">)t", "<p style=\"color:firing\">"},
  };
  for (const Case& each : cases) EXPECT_EQ(expand(each.text, true), each.expected) << each.text;
  EXPECT_THAT(expand("<script>{{ .Status }}</script>", true), HasSubstr("can't be made safe in a script"));
}

TEST(NotificationTemplatesTest, SaysFirstWhatIsWrongAndWhere) {
  const std::string text = expand(R"t({{ template "email.default.text" . }})t");
  EXPECT_EQ(text.substr(0, text.find('\n')), "FIRING: Down on a:80: It is down");
  EXPECT_THAT(text, HasSubstr("RESOLVED: Down on b:80"));
  const std::string html = expand(R"t({{ template "email.default.html" . }})t", true);
  EXPECT_THAT(html, HasSubstr("Down on a:80: It is down"));
  EXPECT_THAT(html, HasSubstr("evil=&lt;b&gt;&#34;&#39;&amp;"));
  EXPECT_EQ(html.find("<b>"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_THAT(html, HasSubstr("table-layout:fixed")) << "one long label makes all of a mail too wide for a phone";
  EXPECT_THAT(html, HasSubstr("overflow-wrap:anywhere"));
  EXPECT_EQ(html.find("ZgotmplZ"), std::string::npos) << html;
  for (const char* name :
       {"slack.default.title", "slack.default.text", "slack.default.fallback", "slack.default.footer",
        "telegram.default.message", "discord.default.title", "discord.default.message", "discord.default.content",
        "email.default.subject", "__alertmanagerURL", "__text_alert_list", "slack.default.username",
        "slack.default.titlelink", "pagerduty.default.description"}) {
    const bool list = std::string_view(name) == "__text_alert_list";
    const std::string out = expand("{{ template \"" + std::string(name) + (list ? "\" .Alerts }}" : "\" . }}"));
    EXPECT_EQ(out.find("template: "), std::string::npos) << out;
  }
}

TEST(NotificationTemplatesTest, TakesFilesInOrderAndTheLastDefinition) {
  const auto folder = std::filesystem::temp_directory_path() / ("pipit_templates_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "a.tmpl")
      << R"t({{ define "__subject" }}first{{ end }}{{ define "own" }}{{ template "__subject" . }}!{{ end }})t";
  std::ofstream(folder / "b.tmpl") << R"t({{ define "__subject" }}second{{ end }})t";
  auto templates = NotificationTemplates::load({folder.string() + "/*.tmpl", folder.string() + "/none*"});
  ASSERT_TRUE(templates.ok()) << templates.error().message;
  const TemplateValue data = NotificationTemplates::data(test_notification(), "");
  EXPECT_EQ(
      *(*templates)->expand(R"t({{ template "own" . }} {{ template "email.default.subject" . }})t", data, kTestNow),
      "second! second");
  std::ofstream(folder / "c.tmpl") << "{{ if }}";
  const auto broken = NotificationTemplates::load({folder.string() + "/*.tmpl"});
  ASSERT_FALSE(broken.ok());
  EXPECT_THAT(broken.error().message, HasSubstr("c.tmpl: template: c.tmpl:1: missing value for if"));
  std::filesystem::remove_all(folder);
}

TEST(NotificationTemplatesTest, HaveBounds) {
  EXPECT_THAT(expand(R"t({{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }})t"),
              HasSubstr("exceeded maximum template depth"));
  EXPECT_THAT(expand("{{ range 1000000000 }}a{{ end }}"), HasSubstr("aaa\u2026"));
}

TEST(NotificationTemplatesTest, TellSomethingOfHoweverManyAlerts) {
  Notification many = test_notification();
  many.alerts.clear();
  for (int i = 0; i < 10'000; ++i) {
    many.alerts.push_back(test_alert({{"alertname", "Down"}, {"instance", "host" + std::to_string(i)}},
                                     {{"description", std::string(200, 'x')}}, kTestNow - 600'000));
  }
  const auto templates = *NotificationTemplates::load({});
  const TemplateValue data = NotificationTemplates::data(many, "http://pipit:9090");
  for (const char* name : {"email.default.text", "slack.default.text", "discord.default.message",
                           "telegram.default.message", "email.default.html"}) {
    const std::string text = "{{ template \"" + std::string(name) + "\" . }}";
    const auto out = templates->expand_html(text, data, kTestNow);
    ASSERT_TRUE(out.ok()) << name << ": " << out.error().message;
    EXPECT_LT(out->size(), 200'000u) << name;
    EXPECT_THAT(*out, HasSubstr("host0")) << name;
    if (std::string_view(name) == "telegram.default.message") continue;  // has 4,096 characters at most
    EXPECT_THAT(*out, HasSubstr("Only the first 100 of 10000 firing alerts are listed.")) << name;
  }
  const auto own = templates->expand("{{ range .Alerts }}{{ .Annotations.description }}{{ end }}", data, kTestNow);
  ASSERT_TRUE(own.ok()) << own.error().message;
  EXPECT_TRUE(own->ends_with("x\u2026"));
}

// As a program in Go 1.26 over Alertmanager's template package.
TEST(NotificationTemplatesTest, TimesHaveTheMethodsOfGo) {
  const Case cases[] = {
      {R"t({{ (.StartsAt.Add 28800e9).Format "2006-01-02 15:04:05" }})t", "2026-11-23 13:30:00"},
      {R"t({{ (.StartsAt.Add (.StartsAt.Sub .StartsAt)).Equal .StartsAt }})t", "true"},
      {R"t({{ .StartsAt.AddDate 0 3 -30 | date "2006-01-02" }})t", "2027-01-24"},
      {R"t({{ .StartsAt.Format "2006-01-02T15:04:05.999999999Z07:00 05,00 Month" }})t",
       "2026-11-23T05:30:00.5Z 00,50 Month"},
      {R"t({{ .StartsAt.Month }} {{ printf "%02d" .StartsAt.Month }} {{ eq .StartsAt.Weekday 1 }})t",
       "November 11 true"},
      {R"t({{ .StartsAt.YearDay }} {{ .StartsAt.Nanosecond }} {{ .EndsAt.Format "06" }})t", "327 500000000 01"},
      {R"t({{ gt (since .StartsAt) 599000000000 }} {{ (since .StartsAt).Round 60000000000 }})t", "true 10m0s"},
      {R"t({{ (since .StartsAt).Truncate 60000000000 }} {{ if .StartsAt.Sub .StartsAt }}y{{ else }}n{{ end }})t",
       "9m0s n"},
      {R"t({{ .StartsAt.Sub .EndsAt }} {{ printf "%q" (since .StartsAt) }})t", "2562047h47m16.854s \"9m59.5s\""},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(expand("{{ with index .Alerts 0 }}" + std::string(each.text) + "{{ end }}"), each.expected) << each.text;
  }
}

// As Debian's Alertmanager 0.25 tells `a.b (c)`.
TEST(NotificationTemplatesTest, TheReceiverIsARegularExpression) {
  Notification notification = test_notification();
  notification.receiver = "a.b (c)";
  const auto templates = *NotificationTemplates::load({});
  const TemplateValue data = NotificationTemplates::data(notification, "");
  EXPECT_EQ(*templates->expand("{{ .Receiver }}", data, kTestNow), R"(a\.b \(c\))");
  EXPECT_THAT(*templates->expand_html(R"t({{ template "email.default.html" . }})t", data, kTestNow),
              HasSubstr("for a.b (c) by"));
}

TEST(NotificationTemplatesTest, AnEmptyAnnotationIsCommonWithNone) {
  Notification notification = test_notification();
  notification.alerts = {test_alert({{"instance", "a"}}, {{"empty", ""}, {"own", "x"}}, kTestNow),
                         test_alert({{"instance", "b"}}, {}, kTestNow)};
  const TemplateValue data = NotificationTemplates::data(notification, "");
  const auto templates = *NotificationTemplates::load({});
  EXPECT_EQ(*templates->expand("{{ .CommonAnnotations | toJson }}", data, kTestNow), R"({"empty":""})");
}

TEST(NotificationTemplatesTest, ChangesLettersOfAllAlphabets) {
  EXPECT_EQ(expand(R"t({{ toUpper "störung é" }} {{ toLower "ÄÖŁ" }} {{ title "élan ÜBER x.ŷ" }})t"),
            "STÖRUNG É äöł Élan Über X.ŷ");
}

TEST(TextLimitsTest, CutCharactersAndNotBytes) {
  EXPECT_EQ(limit_characters("abc", 3), "abc");
  EXPECT_EQ(limit_characters("äöüß", 3), "äö\u2026");
  EXPECT_EQ(limit_characters("a\xff", 5), "a\ufffd");
  std::string html = "<b>";
  for (int i = 0; i < 600; ++i) html += "x&amp;";
  html += "</b>";
  const std::string cut = limit_html_characters(html, 1000);
  EXPECT_LE(count_characters(cut), 1000u);
  EXPECT_TRUE(cut.ends_with("\u2026</b>")) << cut.substr(cut.size() - 20);
  EXPECT_EQ(cut.find("&am\u2026"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "<code>x";
  for (int i = 0; i < 200; ++i) deep += "</code>";
  EXPECT_LE(count_characters(limit_html_characters(deep, 1000)), 1000u);
}

}  // namespace
}  // namespace pipit
