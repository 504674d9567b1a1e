#include "template/html_escaper.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

struct Case {
  const char* before;
  const char* value;
  const char* written;
};

// As Go's html/template writes them.
TEST(HtmlEscaperTest, EscapesByWhereAValueStands) {
  const Case cases[] = {
      {"<p>", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
      {"<title>", "</title><b>", "&lt;/title&gt;&lt;b&gt;"},
      {"<p title=\"", "a\" onclick=\"x", "a&#34; onclick=&#34;x"},
      {"<p title=", "a onclick=x", "a&#32;onclick&#61;x"},
      {"<p title=", "", "ZgotmplZ"},
      {"<p title='", "it's", "it&#39;s"},
      {"<a href=\"", "javascript:alert(1)", "#ZgotmplZ"},
      {"<a href=\"", "JaVaScRiPt:alert(1)", "#ZgotmplZ"},
      {"<a href=\"", " javascript:alert(1)", "#ZgotmplZ"},
      {"<a href=\"", "java\nscript:alert(1)", "#ZgotmplZ"},
      {"<a href=\"", "data:text/html,x", "#ZgotmplZ"},
      {"<a HREF = '", "vbscript:x", "#ZgotmplZ"},
      {"<a href=\"", "http://h/a b?c=d&e='\"", "http://h/a%20b?c=d&amp;e=%27%22"},
      {"<a href=\"", "/relative:path", "/relative:path"},
      {"<a href=\"mailto:", "a@b", "a@b"},
      {"<a href=\"/x?q=", "a&b=c#d", "a%26b%3dc%23d"},
      {"<img data-src=\"", "javascript:1", "#ZgotmplZ"},
      {"<p style=\"color:", "#ff0000", "#ff0000"},
      {"<p style=\"color:", "red;background:url(x)", "ZgotmplZ"},
      {"<p style=\"width:", "expression(1)", "ZgotmplZ"},
      {"<style>p { color: ", "red } </style><script>", "ZgotmplZ"},
      {"<!-- ", "--><script>", ""},
      {"<!-- a --><p>", "<", "&lt;"},
      {"<p ", "onclick", "ZgotmplZ"},
      {"<p ", "hidden", "hidden"},
      {"<p on", "click", "ZgotmplZ"},
      {"<", "script", "ZgotmplZ"},
      {"<h", "1", "1"},
      {"<s", "cript", "ZgotmplZ"},
      {"a < ", "b", "b"},
      {"<script>x</script><p>", "<", "&lt;"},
  };
  for (const Case& each : cases) {
    HtmlEscaper escaper;
    escaper.pass(each.before);
    const auto written = escaper.escape(TemplateValue(each.value));
    ASSERT_TRUE(written.ok()) << each.before;
    EXPECT_EQ(*written, each.written) << each.before << " " << each.value;
  }
}

TEST(HtmlEscaperTest, RefusesWhatCantBeMadeSafe) {
  for (const char* before : {"<script>var x = \"", "<p onclick=\"", "<iframe srcdoc='", "<SCRIPT type=x>"}) {
    HtmlEscaper escaper;
    escaper.pass(before);
    EXPECT_FALSE(escaper.escape(TemplateValue("1")).ok()) << before;
  }
}

TEST(HtmlEscaperTest, ASchemeInTwoPartsIsFound) {
  HtmlEscaper escaper;
  escaper.pass("<a href=\"");
  EXPECT_EQ(*escaper.escape(TemplateValue("javascript")), "javascript");
  EXPECT_EQ(*escaper.escape(TemplateValue(":alert(1)")), "#ZgotmplZ");
}

TEST(HtmlEscaperTest, SafeTextIsLeftAloneWhereItIsSafe) {
  const TemplateValue html = SafeText::make(SafeText::Kind::html, "<b>x</b> &amp; y");
  HtmlEscaper escaper;
  escaper.pass("<p>");
  EXPECT_EQ(*escaper.escape(html), "<b>x</b> &amp; y");
  escaper.pass("</p><p title=\"");
  EXPECT_EQ(*escaper.escape(html), "&lt;b&gt;x&lt;/b&gt; &amp; y");
  escaper.pass("\"><a href=\"");
  EXPECT_EQ(*escaper.escape(SafeText::make(SafeText::Kind::url, "tg:resolve")), "tg:resolve");
}

}  // namespace
}  // namespace pipit
