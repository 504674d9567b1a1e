// The functions of Prometheus's template reference.

#include "template/prometheus_functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipit {
namespace {

using ::testing::HasSubstr;

Result<std::vector<TemplateSample>> answer(const std::string& expression) {
  if (expression == "fails") return execution_error("it failed");
  if (expression == "nothing") return std::vector<TemplateSample>();
  return std::vector<TemplateSample>{{{{"__name__", "m"}, {"instance", "b"}}, 21},
                                     {{{"__name__", "m"}, {"instance", "a"}}, 11}};
}

Result<std::string> run(std::string_view text) {
  TemplateSet set;
  const TemplateFunctions functions = prometheus_template_functions(
      {.query = answer, .now = 1435065584128, .external_url = "http://site.example:9090/path"}, &set);
  if (Status status = set.parse("t", text, functions); !status.ok()) return status.error();
  return set.execute("t", functions, TemplateValue(1.5));
}

struct Case {
  const char* text;
  const char* expected;
};

class PrometheusFunctions : public ::testing::TestWithParam<Case> {};

TEST_P(PrometheusFunctions, AnswerAsPrometheus) {
  const auto text = run(GetParam().text);
  ASSERT_TRUE(text.ok()) << GetParam().text << ": " << text.error().message;
  EXPECT_EQ(*text, GetParam().expected) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(Samples, PrometheusFunctions,
                         ::testing::Values(Case{"{{range query \"m\"}}{{.Labels.instance}}:{{.Value}};{{end}}",
                                                "b:21;a:11;"},
                                           Case{"{{query \"m\" | first | value}}", "21"},
                                           Case{"{{query \"m\" | first | label \"instance\"}}", "b"},
                                           Case{"{{(query \"m\" | sortByLabel \"instance\" | first).Value}}", "11"},
                                           Case{"{{query \"m\" | first | strvalue}}", ""},
                                           Case{"{{with query \"nothing\"}}a{{else}}none{{end}}", "none"}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, PrometheusFunctions,
    ::testing::Values(Case{"{{range $x := args 0.0 1.0 1234567.0 0.12 -1000.5 1e30}}{{humanize $x}} {{end}}",
                           "0 1 1.235M 120m -1k 1e+06Y "},
                      Case{"{{humanize1024 1048576.0}} {{humanize1024 1.0}} {{humanize1024 \"2048\"}}", "1Mi 1 2ki"},
                      Case{"{{humanizeDuration 0}} {{humanizeDuration 59.5}} {{humanizeDuration 60}} "
                           "{{humanizeDuration 1234567}} {{humanizeDuration -3600}} "
                           "{{humanizeDuration 0.0012}}",
                           "0s 59.5s 1m 0s 14d 6h 56m 7s -1h 0m 0s 1.2ms"},
                      Case{"{{humanizePercentage 0.1234567}} {{humanizePercentage 1}}", "12.35% 100%"},
                      Case{"{{humanizeTimestamp 1435065584.128}} {{humanizeTimestamp 0}}",
                           "2015-06-23 13:19:44.128 +0000 UTC 1970-01-01 00:00:00 +0000 UTC"},
                      Case{"{{(1435065584.128 | toTime).Format \"Mon, 02 Jan 2006 15:04:05 MST\"}} {{(toTime 0).Unix}}",
                           "Tue, 23 Jun 2015 13:19:44 UTC 0"},
                      Case{"{{parseDuration \"1h2m10ms\"}}", "3720.01"}, Case{"{{now}}", "1.435065584128e+09"}));

INSTANTIATE_TEST_SUITE_P(
    Texts, PrometheusFunctions,
    ::testing::Values(Case{"{{title \"aa bb CC\"}} {{toUpper \"aBc\"}} {{toLower \"aBc\"}}", "Aa Bb CC ABC abc"},
                      Case{"{{match \"a+\" \"aa\"}} {{match \"a+\" \"b\"}}", "true false"},
                      Case{"{{reReplaceAll \"(a)b\" \"x$1\" \"ab cab\"}} {{reReplaceAll \"(?P<n>a)b\" \"${n}y$$\" "
                           "\"ab\"}} {{reReplaceAll \"b\" \"\\\\1$none.\" \"abc\"}}",
                           "xa cxa ay$ a\\1.c"},
                      Case{"{{stripPort \"a.b:80\"}} {{stripPort \"[::1]:80\"}} {{stripPort \"host\"}}",
                           "a.b ::1 host"},
                      Case{"{{stripDomain \"a.b.c:80\"}} {{stripDomain \"10.0.0.1:80\"}} {{stripDomain \"host\"}}",
                           "a:80 10.0.0.1:80 host"},
                      Case{"{{externalURL}} {{pathPrefix}}", "http://site.example:9090/path /path"},
                      Case{"{{graphLink \"up == 0\"}} {{tableLink \"up\"}}",
                           "/graph?g0.expr=up+%3D%3D+0&g0.tab=0 /graph?g0.expr=up&g0.tab=1"},
                      Case{"{{define \"x\"}}{{.arg0}}+{{.arg1}}{{end}}{{tmpl \"x\" (args 1 2)}}", "1+2"},
                      Case{"{{safeHtml \"<b>\"}}", "<b>"}, Case{"{{urlQueryEscape \"a b\"}}", "a+b"}));

TEST(PrometheusFunctionErrors, AreNamed) {
  EXPECT_THAT(run("{{query \"fails\"}}").error().message, HasSubstr("error calling query: it failed"));
  EXPECT_THAT(run("{{query \"nothing\" | first}}").error().message,
              HasSubstr("first() called on vector with no elements"));
  EXPECT_THAT(run("{{humanize \"x\"}}").error().message, HasSubstr("parsing \"x\": invalid syntax"));
  EXPECT_THAT(run("{{match \"(\" \"a\"}}").error().message, HasSubstr("error parsing regexp"));
  EXPECT_THAT(run("{{value 3}}").error().message, HasSubstr("expected *template.sample; got int"));
  EXPECT_THAT(run("{{tmpl \"none\" 1}}").error().message, HasSubstr("template \"none\" not defined"));
  EXPECT_THAT(run("{{$x := 1}}{{range 50}}{{$x = args $x $x}}{{end}}{{$x}}").error().message, HasSubstr("longer than"));
  EXPECT_THAT(run("{{$x := 1}}{{range 500}}{{$x = args $x}}{{end}}").error().message, HasSubstr("nested too deep"));
  EXPECT_THAT(run("{{$x := \"a\"}}{{range 16}}{{$x = print $x $x}}{{end}}{{reReplaceAll \"\" $x $x}}").error().message,
              HasSubstr("too long"));
  EXPECT_THAT(run("{{humanizeTimestamp 1e12}}").error().message, HasSubstr("nanoseconds"));
}

}  // namespace
}  // namespace pipit
