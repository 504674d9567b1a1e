#include "rules/rule_levels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rules/alerting_rule.h"
#include "rules/recording_rule.h"

namespace pipit {
namespace {

using Levels = std::vector<std::vector<std::uint32_t>>;

Levels levels_of(const std::string& rules) {
  RuleFiles read;
  parse_rule_file("groups:\n- name: g\n  rules: [" + rules + "]\n", "r.yml", {}, read);
  EXPECT_THAT(read.faults, testing::IsEmpty());
  std::vector<std::unique_ptr<Rule>> made;
  for (RuleConfig& config : read.groups.at(0).rules) {
    if (config.alerting) {
      made.push_back(std::make_unique<AlertingRule>(std::move(config), true));
    } else {
      made.push_back(std::make_unique<RecordingRule>(std::move(config)));
    }
  }
  return rule_levels(made);
}

TEST(RuleLevelsTest, WhatDependsOnEachOtherKeepsItsOrder) {
  struct Case {
    const char* what;
    const char* rules;
    Levels levels;
  };
  const Case cases[] = {
      {"nothing in common", "{record: a, expr: x}, {record: b, expr: y}", {{0, 1}}},
      {"a later one reads", "{record: a, expr: x}, {record: b, expr: a}, {record: c, expr: b}", {{0}, {1}, {2}}},
      {"an earlier one reads", "{record: a, expr: b}, {record: b, expr: x}", {{0}, {1}}},
      {"one of several names", "{record: a, expr: x}, {record: b, expr: '{__name__=~\"a|q\"}'}", {{0}, {1}}},
      {"a pattern reads anything",
       "{record: a, expr: x}, {record: b, expr: '{__name__=~\"q.*\"}'}, {record: c, expr: x}",
       {{0}, {1}, {2}}},
      {"a template reads anything",
       "{record: a, expr: x}, {alert: B, expr: x, annotations: {t: '{{ query \"a\" }}'}}, {record: c, expr: x}",
       {{0}, {1}, {2}}},
      {"alerts are read", "{alert: A, expr: x}, {record: b, expr: ALERTS}", {{0}, {1}}},
      {"the same series", "{record: a, expr: x}, {record: a, expr: y}, {record: b, expr: y}", {{0, 2}, {1}}},
      {"told apart by a label", "{record: a, expr: x, labels: {k: u}}, {record: a, expr: x, labels: {k: v}}", {{0, 1}}},
      {"the same labels",
       "{record: a, expr: x, labels: {k: u}}, {record: a, expr: x, labels: {k: v}}, "
       "{record: a, expr: y, labels: {k: u}}",
       {{0, 1}, {2}}},
      {"other names of labels may meet",
       "{record: a, expr: x, labels: {k: u}}, {record: a, expr: x, labels: {q: v}}, "
       "{record: a, expr: y, labels: {k: v}}",
       {{0}, {1}, {2}}},
      {"an alert in two severities",
       "{alert: A, expr: x, labels: {severity: page}}, {alert: A, expr: y, labels: {severity: mail}}",
       {{0, 1}}},
      {"labels by templates may be equal",
       "{alert: A, expr: x, labels: {s: '{{ $value }}'}}, {alert: A, expr: y, labels: {s: '{{ .Value }}'}}",
       {{0}, {1}}},
      {"two alerts", "{alert: A, expr: x}, {alert: B, expr: y}", {{0, 1}}},
  };
  for (const Case& each : cases) EXPECT_EQ(levels_of(each.rules), each.levels) << each.what;
}

}  // namespace
}  // namespace pipit
