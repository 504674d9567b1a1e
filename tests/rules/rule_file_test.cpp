#include "rules/rule_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

namespace pipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::filesystem::path kConformance = PIPIT_SOURCE_DIR "/../shared/conformance/rules";

std::vector<std::string> faults_of(std::string_view text) {
  RuleFiles read;
  parse_rule_file(text, "r.yml", {}, read);
  return read.faults;
}

TEST(RuleFileTest, ReadsEveryField) {
  RuleFiles read;
  parse_rule_file(R"(
groups:
  - name: all
    interval: 30s
    limit: 5
    query_offset: 1m
    labels: {team: web, severity: low}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: {kind: sum}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 10m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} is down"}
)",
                  "r.yml", {}, read);
  ASSERT_THAT(read.faults, ElementsAre());
  ASSERT_EQ(read.groups.size(), 1u);
  const RuleGroupConfig& group = read.groups[0];
  EXPECT_EQ(group.interval, 30'000);
  EXPECT_EQ(group.limit, 5u);
  EXPECT_EQ(group.query_offset, 60'000);
  ASSERT_EQ(group.rules.size(), 2u);
  EXPECT_FALSE(group.rules[0].alerting);
  EXPECT_THAT(group.rules[0].labels, ElementsAre(Label{"kind", "sum"}, Label{"severity", "low"}, Label{"team", "web"}));
  EXPECT_TRUE(group.rules[1].alerting);
  EXPECT_EQ(group.rules[1].hold, 300'000);
  EXPECT_EQ(group.rules[1].keep_firing, 600'000);
  EXPECT_THAT(group.rules[1].labels, ElementsAre(Label{"severity", "page"}, Label{"team", "web"}));
}

TEST(RuleFileTest, TellsAllFaultsWithTheirPlaces) {
  EXPECT_THAT(faults_of("groups:\n- name: a\n  rules:\n  - record: x\n    expr: 'sum('\n  - alert: A\n    expr: 1\n"
                        "    annotations: {t: '{{ $label }}'}\n"),
              ElementsAre(HasSubstr("r.yml:5:11: group \"a\", rule 1, \"x\": could not parse expression: 1:5"),
                          HasSubstr("r.yml:8:22: group \"a\", rule 2, \"A\": annotation \"t\"")));
  EXPECT_THAT(faults_of("groups:\n- name: a\n- name: a\n"),
              ElementsAre("r.yml:3:9: groupname: \"a\" is repeated in the same file"));
  EXPECT_THAT(faults_of("groups:\n- name: a\n  rules:\n  - record: x\n    expr: 1\n    foo: 2\n"),
              ElementsAre(HasSubstr("r.yml:6:5: unknown field \"foo\" in a rule")));
  EXPECT_THAT(faults_of("groups:\n- name: a\n  rules:\n  - record: x\n    expr: 1\n    for: 1m\n"),
              ElementsAre(HasSubstr("invalid field 'for' in recording rule")));
}

TEST(RuleFileTest, IgnoresUnknownFieldsWhenAsked) {
  RuleFiles read;
  parse_rule_file("groups:\n- name: a\n  owner: me\n  rules:\n  - {record: x, expr: 1, foo: 2}\n", "r.yml",
                  {.ignore_unknown_fields = true}, read);
  EXPECT_THAT(read.faults, ElementsAre());
  ASSERT_EQ(read.groups.size(), 1u);
}

TEST(RuleFileTest, OldNamesOnly) {
  RuleFiles read;
  parse_rule_file("groups:\n- name: a\n  rules:\n  - {record: 'a.b', expr: 1}\n", "r.yml", {.legacy_names = true},
                  read);
  EXPECT_THAT(read.faults, ElementsAre(HasSubstr("invalid recording rule name: a.b")));
}

TEST(RuleFileTest, UpstreamsFilesAreTakenAndRefused) {
  if (!std::filesystem::exists(kConformance)) {
    std::printf("skipped: %s is missing\n", kConformance.c_str());
    return;
  }
  std::size_t good = 0;
  std::size_t bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kConformance)) {
    const std::string name = entry.path().filename();
    RuleFiles read;
    // One is about the old charset.
    load_rule_file(entry.path(), {.legacy_names = name.starts_with("legacy")}, read);
    const bool is_bad = name.find(".bad.") != std::string::npos || name == "invalid_rules.yaml";
    EXPECT_EQ(read.ok(), !is_bad) << name << ": " << (read.ok() ? "taken" : read.faults.front());
    ++(is_bad ? bad : good);
    if (name == "rules_multi_doc.yaml") {
      EXPECT_THAT(read.warnings, ElementsAre(HasSubstr("only the first YAML document")));
    }
  }
  EXPECT_GT(good, 15u);
  EXPECT_GT(bad, 9u);
}

}  // namespace
}  // namespace pipit
