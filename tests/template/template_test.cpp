// Go's template language: each line is a template and what Go makes of it.

#include "template/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipit {
namespace {

using ::testing::HasSubstr;

TemplateValue data() {
  TemplateValue::Map labels;
  labels.missing = TemplateValue("");
  labels.entries = {{"job", "web"}, {"instance", "a:80"}};
  TemplateValue::Map map;
  map.entries["Labels"] = TemplateValue(labels);
  map.entries["Value"] = TemplateValue(0.5);
  map.entries["Count"] = TemplateValue(3);
  map.entries["List"] = TemplateValue(TemplateValue::List{"x", "y", "z"});
  map.entries["Empty"] = TemplateValue(TemplateValue::List{});
  return map;
}

Result<std::string> run(std::string_view text, const TemplateLimits& limits = {}) {
  TemplateSet set;
  if (Status status = set.parse("t", text, {}); !status.ok()) return status.error();
  return set.execute("t", {}, data(), limits);
}

struct Case {
  const char* text;
  const char* expected;
};

class TemplateText : public ::testing::TestWithParam<Case> {};

TEST_P(TemplateText, IsWhatGoMakes) {
  const auto text = run(GetParam().text);
  ASSERT_TRUE(text.ok()) << GetParam().text << ": " << text.error().message;
  EXPECT_EQ(*text, GetParam().expected) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Language, TemplateText,
    ::testing::Values(Case{"plain } text {", "plain } text {"}, Case{"{{.Value}}", "0.5"},
                      Case{"{{ .Labels.job }}", "web"}, Case{"{{.Labels.none}}", ""}, Case{"{{.none}}", "<no value>"},
                      Case{"a {{- 1 -}} b", "a1b"}, Case{"a {{- /* c */ -}} b", "ab"},
                      Case{"a{{/* {{.Value}} */}}b", "ab"}, Case{"{{-3}}", "-3"}, Case{"a {{- -3 -}} b", "a-3b"},
                      Case{"{{\"q\\\"\\n\\u00e9\"}}", "q\"\n\u00e9"}, Case{"{{`raw \\n`}}", "raw \\n"},
                      Case{"{{'a'}}", "97"}, Case{"{{0x1F}} {{1_000}} {{1e3}} {{.5}}", "31 1000 1000 0.5"},
                      Case{"{{true}}", "true"}, Case{"{{1e21}} {{1e20}} {{0.00001}}", "1e+21 1e+20 1e-05"},
                      Case{"{{if .Value}}yes{{else}}no{{end}}", "yes"}, Case{"{{if .Empty}}yes{{else}}no{{end}}", "no"},
                      Case{"{{if false}}a{{else if .Count}}b{{else}}c{{end}}", "b"},
                      Case{"{{with .Labels}}{{.job}}{{end}}", "web"},
                      Case{"{{with .none}}a{{else with .Count}}{{.}}{{else}}c{{end}}", "3"},
                      Case{"{{range .List}}[{{.}}]{{end}}", "[x][y][z]"},
                      Case{"{{range $i, $e := .List}}{{$i}}{{$e}} {{end}}", "0x 1y 2z "},
                      Case{"{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "instance=a:80;job=web;"},
                      Case{"{{range .Empty}}a{{else}}none{{end}}", "none"}, Case{"{{range 3}}{{.}}{{end}}", "012"},
                      Case{"{{range .List}}{{if eq . \"y\"}}{{break}}{{end}}{{.}}{{end}}", "x"},
                      Case{"{{range .List}}{{if eq . \"y\"}}{{continue}}{{end}}{{.}}{{end}}", "xz"},
                      Case{"{{$x := 1}}{{if true}}{{$x = 2}}{{$y := 3}}{{end}}{{$x}}", "2"},
                      Case{"{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"},
                      Case{"{{$.Count}}{{range .List}}{{$.Count}}{{end}}", "3333"},
                      Case{"{{define \"d\"}}<{{.}}>{{end}}{{template \"d\" .Count}}{{template \"d\" \"s\"}}", "<3><s>"},
                      Case{"{{block \"b\" .Count}}({{.}}){{end}}", "(3)"},
                      Case{"{{(index .List 1)}}{{(len .List)}}", "y3"},
                      Case{"{{.List | len | printf \"%03d\"}}", "003"},
                      Case{"{{printf \"%s-%v-%q\" \"a\" 1.5 \"b\"}}", "a-1.5-\"b\""},
                      Case{"{{with $l := .Labels}}{{$l.job}}{{end}}", "web"},
                      Case{"{{.}}", "map[Count:3 Empty:[] Labels:map[instance:a:80 job:web] List:[x y z] Value:0.5]"}));

INSTANTIATE_TEST_SUITE_P(
    Functions, TemplateText,
    ::testing::Values(
        Case{"{{and 1 0 2}} {{and 1 2}} {{or 0 \"\" 3}} {{or 0 \"\"}}|", "0 2 3 |"},
        Case{"{{and false (index .List 9)}}", "false"}, Case{"{{not 0}} {{not .List}}", "true false"},
        Case{"{{eq 1 2 1}} {{eq \"a\" \"b\"}} {{ne 1 2}}", "true false true"},
        Case{"{{lt 1 2}}{{le 2 2}}{{gt 1.5 2.5}}{{ge \"b\" \"a\"}}", "truetruefalsetrue"},
        Case{"{{index .Labels \"job\"}}{{index .Labels \"none\"}}", "web"},
        Case{"{{slice \"abcdef\" 1 3}} {{slice .List 1}}", "bc [y z]"}, Case{"{{print 1 2 \"a\" \"b\" 3}}", "1 2ab3"},
        Case{"{{println 1 \"a\"}}", "1 a\n"}, Case{"{{html \"<a href='x'>&\"}}", "&lt;a href=&#39;x&#39;&gt;&amp;"},
        Case{"{{js \"it's <b>\"}}", "it\\'s \\u003Cb\\u003E"}, Case{"{{urlquery \"a b&c/d\"}}", "a+b%26c%2Fd"},
        Case{"{{printf \"%5.1f|%-5d|%+d|%x|%X|%t|%c|%%\" 3.14159 7 7 255 \"hi\" true 65}}",
             "  3.1|7    |+7|ff|6869|true|A|%"},
        Case{"{{printf \"%d\" \"x\"}} {{printf \"%d\"}} {{printf \"a\" 1}}",
             "%!d(string=x) %!d(MISSING) a%!(EXTRA int=1)"},
        Case{"{{printf \"%v %v %v %T\" nil .List true 1.0}}", "<nil> [x y z] true float64"},
        Case{"{{printf \"%.3s|%6s|%e|%g\" \"abcdef\" \"ab\" 1234.5 1e6}}", "abc|    ab|1.234500e+03|1e+06"}));

// Of a program in Go 1.26 over these texts.
INSTANTIATE_TEST_SUITE_P(
    Printf, TemplateText,
    ::testing::Values(Case{"{{printf \"%[2]s %[1]s|%[1]d %[1]x\" 10 \"b\"}}", "b %!s(int=10)|10 a"},
                      Case{"{{printf \"%*d|%-*d|%.*f\" 5 7 3 7 2 3.14159}}", "    7|7  |3.14"},
                      Case{"{{printf \"%[3]s\" 1}} {{printf \"%é\" 1}} {{printf \"%\"}} {{printf \"%*d\" \"x\" 1}}",
                           "%!s(BADINDEX) %!é(int=1) %!(NOVERB) %!(BADWIDTH)1"},
                      Case{"{{printf \"%O %b %b %+x %U %+v\" 8 5 -5 255 8364 7}}", "0o10 101 -101 +ff U+20AC 7"},
                      Case{"{{printf \"%q\" \"a\\u2028\\u200b\\u00a0\\a\\xff\u00e9\"}}",
                           R"("a\u2028\u200b\u00a0\a\xffé")"},
                      Case{"{{printf \"%5.1f\" \"abc\"}} {{printf \"%#v\" \"a\"}}", "%!f(string=    a) \"a\""}));

INSTANTIATE_TEST_SUITE_P(NothingWhereSomethingWas, TemplateText,
                         ::testing::Values(Case{"{{define \"d\"}}{{.x.y}}{{$.x}}{{end}}{{template \"d\"}}",
                                                "<no value><no value>"},
                                           Case{"{{1 | }}", "1"}, Case{"{{define \"d\"}}{{$x = 1}}{{end}}a", "a"}));

class TemplateError : public ::testing::TestWithParam<Case> {};

TEST_P(TemplateError, SaysWhereAndWhat) {
  const auto text = run(GetParam().text);
  ASSERT_FALSE(text.ok()) << GetParam().text << " gave " << *text;
  EXPECT_THAT(text.error().message, HasSubstr(GetParam().expected)) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Parsing, TemplateError,
    ::testing::Values(Case{"{{", "template: t:1: unclosed action"}, Case{"a\n{{ .x", "template: t:2: unclosed action"},
                      Case{"{{if .x}}a", "template: t:1: unexpected EOF"}, Case{"{{end}}", "unexpected {{end}}"},
                      Case{"{{else}}", "unexpected {{else}}"}, Case{"{{nope}}", "function \"nope\" not defined"},
                      Case{"{{$x}}", "undefined variable \"$x\""},
                      Case{"{{if true}}{{$x := 1}}{{end}}{{$x}}", "undefined variable \"$x\""},
                      Case{"{{\"a}}", "unterminated quoted string"}, Case{"{{`a}}", "unterminated raw quoted string"},
                      Case{"{{/* a }}", "unclosed comment"}, Case{"{{}}", "missing value for command"},
                      Case{"{{1 || print}}", "missing value for command"}, Case{"{{| 1}}", "missing value for command"},
                      Case{"{{1 | 2}}", "non executable command in pipeline stage 2"},
                      Case{"{{(1}}", "unclosed left paren"}, Case{"{{1)}}", "unexpected right paren"},
                      Case{"{{break}}", "{{break}} outside {{range}}"}, Case{"{{template}}", "in template clause"},
                      Case{"{{if}}a{{end}}", "missing value for if"},
                      Case{"{{if 1}}{{else}}{{else}}{{end}}", "expected end; found {{else}}"},
                      Case{"{{1.2.3}}", "bad number syntax: \"1.2.3\""},
                      Case{"{{$a, $b := 1}}", "too many declarations in command"}, Case{"{{.a@}}", "bad character"},
                      Case{"{{if 1}}{{define \"x\"}}{{end}}{{end}}", "unexpected {{define}}"}));

INSTANTIATE_TEST_SUITE_P(
    Executing, TemplateError,
    ::testing::Values(
        Case{"{{.Value.x}}", "template: t:1:2: executing \"t\" at <.Value.x>: can't evaluate field x in type float64"},
        Case{"\n  {{.none.x}}", "template: t:2:4: executing \"t\" at <.none.x>: nil pointer evaluating interface {}.x"},
        Case{"{{index .List 3}}", "at <index>: error calling index: index out of range: 3"},
        Case{"{{lt 1 1.5}}", "error calling lt: incompatible types for comparison"},
        Case{"{{len 3}}", "error calling len: len of type int"},
        Case{"{{not 1 2}}", "wrong number of args for not: want 1 got 2"},
        Case{"{{range .Value}}{{end}}", "range can't iterate over 0.5"},
        Case{"{{template \"none\"}}", "template \"none\" not defined"},
        Case{"{{.Count 1}}", "is not a method but has arguments"},
        Case{"{{3 4}}", "can't give argument to non-function 3"}, Case{"{{nil}}", "nil is not a command"},
        Case{"{{slice .List 2 1}}", "invalid slice index: 2 > 1"}));

// ---- limits ------------------------------------------------------------------------------------------------------
std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(TemplateLimit, EndsWhatWouldNotEnd) {
  EXPECT_THAT(run("{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}").error().message,
              HasSubstr("exceeded maximum template depth (100)"));
  EXPECT_THAT(run("{{range 1000000000}}{{end}}").error().message, HasSubstr("takes more than 1000000 steps"));
  EXPECT_THAT(run("{{range 100}}0123456789{{end}}", {.output_bytes = 100}).error().message,
              HasSubstr("longer than 100 bytes"));
  EXPECT_THAT(run("{{printf \"%1000000000d\" 1}}").value(), ::testing::SizeIs(1000));
  EXPECT_THAT(run("{{$x := \"ab\"}}{{range 100}}{{$x = print $x $x}}{{end}}").error().message,
              HasSubstr("longer than 1048576 bytes"));
}

TEST(TemplateLimit, CutsWhatIsTooLongWhereThatIsWanted) {
  EXPECT_EQ(run("{{range 100}}0123456789{{end}}", {.output_bytes = 25, .cut = true}).value(),
            "01234567890123456789\u2026");
  EXPECT_EQ(run("{{range 100}}a{{end}}b", {.steps = 9, .cut = true}).value(), "aaa\u2026");
  EXPECT_FALSE(run("{{range 100}}{{nil}}{{end}}", {.cut = true}).ok()) << "other errors are still errors";
}

TEST(TemplateLimit, NestsAsDeepAsAnybodyNeeds) {
  EXPECT_EQ(run(repeated("{{if true}}", 90) + "x" + repeated("{{end}}", 90)).value(), "x");
  for (const char* open : {"{{if true}}", "{{range 1}}", "{{with 1}}"}) {
    EXPECT_THAT(run(repeated(open, 100'000)).error().message, HasSubstr("nested more than 100 deep")) << open;
  }
  EXPECT_THAT(run("{{" + repeated("(", 100'000)).error().message, HasSubstr("nested more than 100 deep"));
  EXPECT_THAT(run("{{if 0}}" + repeated("{{else if 0}}", 100'000)).error().message,
              HasSubstr("nested more than 100 deep"));
}

TEST(TemplateSetTest, ALaterTemplateReplacesAnEarlierOne) {
  TemplateSet set;
  ASSERT_TRUE(set.parse("a", "{{define \"x\"}}1{{end}}", {}).ok());
  ASSERT_TRUE(set.parse("b", "{{define \"x\"}}2{{end}}", {}).ok());
  EXPECT_EQ(set.execute("x", {}, {}).value(), "2");
  EXPECT_FALSE(set.parse("c", "{{define \"x\"}}3{{end}}{{", {}).ok());
  EXPECT_EQ(set.execute("x", {}, {}).value(), "2") << "a file with an error changes nothing";
  EXPECT_THAT(set.execute("none", {}, {}).error().message, HasSubstr("no template \"none\""));
}

}  // namespace
}  // namespace pipit
