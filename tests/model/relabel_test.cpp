#include "model/relabel.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

RelabelConfig step(RelabelAction action, std::vector<std::string> sources, std::string_view regex = "(.*)",
                   std::string target = "", std::string replacement = "$1") {
  RelabelConfig config;
  config.action = action;
  config.source_labels = std::move(sources);
  config.regex = *Regex::compile(regex);
  config.target_label = std::move(target);
  config.replacement = std::move(replacement);
  return config;
}

const Labels kInput{{"a", "foo"}, {"b", "bar"}, {"c", "baz"}};

struct Case {
  const char* what;
  RelabelConfig config;
  const char* expected;  ///< null: dropped
};

TEST(Relabel, EveryAction) {
  auto hashmod = step(RelabelAction::hashmod, {"c"}, "(.*)", "d");
  hashmod.modulus = 1000;
  const Case cases[] = {
      {"replace with a group", step(RelabelAction::replace, {"a"}, "f(.*)", "d", "ch${1}-ch${1}"),
       R"({a="foo", b="bar", c="baz", d="choo-choo"})"},
      {"replace joins sources", step(RelabelAction::replace, {"a", "b"}, "(.*);(.*)", "d", "$2$1"),
       R"({a="foo", b="bar", c="baz", d="barfoo"})"},
      {"replace without match", step(RelabelAction::replace, {"a"}, "x", "d", "y"), R"({a="foo", b="bar", c="baz"})"},
      {"replace by nothing removes", step(RelabelAction::replace, {"b"}, ".*", "a", ""), R"({b="bar", c="baz"})"},
      {"target from a group", step(RelabelAction::replace, {"a", "b"}, "(.*);(.*)", "$1", "$2"),
       R"({a="foo", b="bar", c="baz", foo="bar"})"},
      {"drop", step(RelabelAction::drop, {"a"}, "fo+"), nullptr},
      {"drop other", step(RelabelAction::drop, {"a"}, "f"), R"({a="foo", b="bar", c="baz"})"},
      {"keep", step(RelabelAction::keep, {"a"}, "foo"), R"({a="foo", b="bar", c="baz"})"},
      {"keep other", step(RelabelAction::keep, {"missing"}, "x"), nullptr},
      {"keepequal", step(RelabelAction::keepequal, {"a"}, "(.*)", "b"), nullptr},
      {"dropequal", step(RelabelAction::dropequal, {"a"}, "(.*)", "a"), nullptr},
      // The remainder of MD5("baz")'s last eight bytes, as Prometheus's own tests have it.
      {"hashmod", hashmod, R"({a="foo", b="bar", c="baz", d="976"})"},
      {"labelmap", step(RelabelAction::labelmap, {}, "(b)", "", "x_$1"), R"({a="foo", b="bar", c="baz", x_b="bar"})"},
      {"labeldrop", step(RelabelAction::labeldrop, {}, "[ab]"), R"({c="baz"})"},
      {"labelkeep", step(RelabelAction::labelkeep, {}, "[ab]"), R"({a="foo", b="bar"})"},
      {"uppercase", step(RelabelAction::uppercase, {"a"}, "(.*)", "a"), R"({a="FOO", b="bar", c="baz"})"},
      {"lowercase", step(RelabelAction::lowercase, {"a"}, "(.*)", "e"), R"({a="foo", b="bar", c="baz", e="foo"})"},
  };
  for (const auto& c : cases) {
    Labels labels = kInput;
    const bool kept = relabel(labels, std::span(&c.config, 1));
    EXPECT_EQ(kept, c.expected != nullptr) << c.what;
    if (kept && c.expected != nullptr) {
      EXPECT_EQ(labels.to_string(), c.expected) << c.what;
    }
  }
}

TEST(Relabel, StepsSeeWhatEarlierStepsMade) {
  const std::vector<RelabelConfig> steps = {step(RelabelAction::replace, {"a"}, "(.*)", "t", "$1!"),
                                            step(RelabelAction::keep, {"t"}, "foo!"),
                                            step(RelabelAction::labeldrop, {}, "a|b|c")};
  Labels labels = kInput;
  ASSERT_TRUE(relabel(labels, steps));
  EXPECT_EQ(labels.to_string(), R"({t="foo!"})");
}

}  // namespace
}  // namespace pipit
