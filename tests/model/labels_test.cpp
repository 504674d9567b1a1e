#include "model/labels.h"

#include <gmock/gmock.h>

namespace pipit {
namespace {

TEST(Labels, AreSortedUniqueAndWithoutEmptyValues) {
  const Labels labels{{"b", "1"}, {"a", "2"}, {"c", ""}, {"b", "3"}};
  EXPECT_EQ(labels.to_string(), R"({a="2", b="3"})");
  EXPECT_EQ(labels, (Labels{{"a", "2"}, {"b", "3"}}));
}

TEST(Labels, AnEmptyLastValueRemovesTheLabel) { EXPECT_TRUE((Labels{{"a", "1"}, {"a", ""}}).empty()); }

TEST(Labels, SetReplacesInsertsAndRemoves) {
  Labels labels{{"m", "1"}};
  labels.set("a", "x");
  labels.set("z", "y");
  labels.set("m", "2");
  labels.set("a", "");
  EXPECT_EQ(labels, (Labels{{"m", "2"}, {"z", "y"}}));
  EXPECT_EQ(labels.get("a"), "");
  EXPECT_EQ(labels.get("m"), "2");
}

TEST(Labels, HashTellsNameFromValue) {
  EXPECT_NE((Labels{{"a", "bc"}}).hash(), (Labels{{"ab", "c"}}).hash());
  EXPECT_NE((Labels{{"a", "b"}}).hash(), (Labels{{"b", "a"}}).hash());
  // Pinned: the offset of a target in its interval must not move between versions.
  EXPECT_EQ(Labels{}.hash(), 0xcbf29ce484222325ULL);
}

struct PrintCase {
  Labels labels;
  std::string expected;
};

TEST(Labels, PrintAsPrometheusPrintsThem) {
  const PrintCase cases[] = {
      {{}, "{}"},
      {{{"__name__", "up"}}, "up"},
      {{{"__name__", "up"}, {"job", "a"}, {"i", "b"}}, R"(up{i="b", job="a"})"},
      {{{"__name__", "utf8.name"}, {"a", "b"}}, R"({"utf8.name", a="b"})"},
      {{{"a.b", "c"}}, R"({"a.b"="c"})"},
      {{{"a", "quote\" back\\ line\n tab\t bell\x01 bad\xff ä"}},
       R"({a="quote\" back\\ line\n tab\t bell\x01 bad\xff ä"})"},
  };
  for (const auto& c : cases) EXPECT_EQ(c.labels.to_string(), c.expected);
}

TEST(Utf8, AcceptsAndRejects) {
  for (const char* good : {"", "abc", "ä€𝄞", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf8\x88\x80\x80\x80", "a\xff"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
}

TEST(Names, LegacyCharset) {
  EXPECT_TRUE(is_legacy_label_name("_a9"));
  EXPECT_FALSE(is_legacy_label_name("9a"));
  EXPECT_FALSE(is_legacy_label_name("a:b"));
  EXPECT_FALSE(is_legacy_label_name(""));
  EXPECT_TRUE(is_legacy_metric_name(":a:b"));
  EXPECT_FALSE(is_legacy_metric_name("a.b"));
}

}  // namespace
}  // namespace pipit
