#include "rules/rule_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pthread.h>

#include <map>

#include "rules/alerting_rule.h"
#include "tools/temporary_store.h"

namespace pipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr TimestampMs kMinute = 60'000;

class Collector final : public AlertSink {
 public:
  void send(std::vector<AlertNotice> notices) override {
    for (AlertNotice& notice : notices) sent.push_back(std::move(notice));
  }
  std::vector<AlertNotice> sent;
};

class RuleGroupTest : public testing::Test {
 protected:
  RuleGroupTest() : temporary_(*TemporaryStore::open()) {}

  Store& store() { return temporary_->store(); }

  void add(const Labels& labels, TimestampMs time, double value) {
    const SeriesRef ref = *store().series(labels);
    ASSERT_TRUE(store().append({{&ref, 1}, {&value, 1}, {&time, 1}}).ok());
  }

  std::unique_ptr<RuleGroup> group(const std::string& rules, bool restored = true, const std::string& head = "") {
    RuleFiles read;
    parse_rule_file("groups:\n- name: g\n  interval: 1m\n" + head + "  rules:\n" + rules, "r.yml", {}, read);
    EXPECT_THAT(read.faults, IsEmpty());
    if (!read.ok()) return nullptr;
    return std::make_unique<RuleGroup>(std::move(read.groups[0]), context_, surroundings_, restored);
  }

  /// By labels as text.
  std::map<std::string, double> ask(const std::string& expr, TimestampMs time) {
    QueryRequest request;
    request.expr = expr;
    request.start = request.end = time;
    const auto result = engine_.query(request);
    std::map<std::string, double> values;
    if (!result.ok()) return {{result.error().message, 0}};
    for (const ResultSeries& series : result->series) {
      values[Labels(labels_of(*result, series.labels)).to_string()] = series.values.front();
    }
    return values;
  }

  static const AlertingRule& alerting(const RuleGroup& group, std::size_t index = 0) {
    return dynamic_cast<const AlertingRule&>(*group.rules()[index]);
  }

  std::unique_ptr<TemporaryStore> temporary_;
  Engine engine_{temporary_->store(), {}, temporary_->metrics()};
  Collector collector_;
  RuleGroupContext context_{temporary_->store(), temporary_->store(), temporary_->metrics(), &collector_};
  std::shared_ptr<const RuleSurroundings> surroundings_ =
      std::make_shared<const RuleSurroundings>(RuleSurroundings{engine_, Labels{{"site", "here"}}, "http://pipit"});
};

TEST_F(RuleGroupTest, RecordsAndMarksWhatVanishes) {
  const auto rules = group("  - {record: total, expr: 'sum by (job) (up)', labels: {kind: sum}}\n");
  add({{"__name__", "up"}, {"job", "a"}}, kMinute, 1);
  add({{"__name__", "up"}, {"job", "b"}}, kMinute, 1);
  rules->evaluate(kMinute);
  EXPECT_THAT(ask("total", kMinute), UnorderedElementsAre(Pair("total{job=\"a\", kind=\"sum\"}", 1),
                                                          Pair("total{job=\"b\", kind=\"sum\"}", 1)));
  add({{"__name__", "up"}, {"job", "a"}}, 2 * kMinute, 1);
  add({{"__name__", "up"}, {"job", "b"}}, 2 * kMinute, stale_nan());
  rules->evaluate(2 * kMinute);
  EXPECT_THAT(ask("total", 2 * kMinute), ElementsAre(Pair("total{job=\"a\", kind=\"sum\"}", 1)));
}

TEST_F(RuleGroupTest, LaterRulesSeeEarlierOnes) {
  const auto rules = group(
      "  - {record: early, expr: late + 1}\n  - {record: one, expr: 'vector(1)'}\n"
      "  - {record: late, expr: one + 1}\n");
  rules->evaluate(kMinute);
  EXPECT_THAT(ask("early", kMinute), IsEmpty());
  EXPECT_THAT(ask("late", kMinute), ElementsAre(Pair("late", 2)));
  rules->evaluate(2 * kMinute);
  EXPECT_THAT(ask("early", 2 * kMinute), ElementsAre(Pair("early", 3)));
}

TEST_F(RuleGroupTest, QueryOffsetMovesTheSamples) {
  const auto rules = group("  - {record: now, expr: 'vector(time())'}\n", true, "  query_offset: 1m\n");
  rules->evaluate(10 * kMinute);
  EXPECT_THAT(ask("now @ 540", 10 * kMinute), ElementsAre(Pair("now", 540)));
  EXPECT_THAT(ask("timestamp(now)", 10 * kMinute), ElementsAre(Pair("{}", 540)));
}

TEST_F(RuleGroupTest, FaultsAreTheRules) {
  const auto rules = group(
      "  - {record: twice, expr: 'label_replace(up, \"job\", \"x\", \"\", \"\")', labels: {job: x}}\n"
      "  - {record: many, expr: up}\n  - {record: fine, expr: 'vector(1)'}\n",
      true, "  limit: 1\n");
  add({{"__name__", "up"}, {"job", "a"}}, kMinute, 1);
  add({{"__name__", "up"}, {"job", "b"}}, kMinute, 1);
  rules->evaluate(kMinute);
  EXPECT_THAT(rules->rules()[0]->status().last_error, HasSubstr("same labelset"));
  EXPECT_EQ(rules->rules()[0]->status().health, RuleHealth::err);
  EXPECT_EQ(rules->rules()[1]->status().last_error, "exceeded limit of 1 with 2 series");
  EXPECT_EQ(rules->rules()[2]->status().health, RuleHealth::ok);
  EXPECT_THAT(ask("many", kMinute), IsEmpty());
}

TEST_F(RuleGroupTest, AnAlertWaitsFiresAndIsResolved) {
  const auto rules = group(
      "  - alert: Down\n    expr: up == 0\n    for: 2m\n    labels: {severity: page}\n"
      "    annotations: {text: '{{ $labels.job }} at {{ $externalLabels.site }}: {{ $value }}'}\n");
  const Labels up = {{"__name__", "up"}, {"job", "a"}};
  add(up, kMinute, 0);
  rules->evaluate(kMinute);
  ASSERT_THAT(alerting(*rules).active(), SizeIs(1));
  EXPECT_EQ(alerting(*rules).state(), AlertState::pending);
  const std::string alert = "ALERTS{alertname=\"Down\", alertstate=";
  EXPECT_THAT(ask("ALERTS", kMinute), ElementsAre(Pair(alert + "\"pending\", job=\"a\", severity=\"page\"}", 1)));
  EXPECT_THAT(ask("ALERTS_FOR_STATE", kMinute),
              ElementsAre(Pair("ALERTS_FOR_STATE{alertname=\"Down\", job=\"a\", severity=\"page\"}", 60)));
  EXPECT_THAT(collector_.sent, IsEmpty());

  rules->evaluate(2 * kMinute);
  rules->evaluate(3 * kMinute);
  EXPECT_EQ(alerting(*rules).state(), AlertState::firing);
  EXPECT_THAT(ask("ALERTS", 3 * kMinute), ElementsAre(Pair(alert + "\"firing\", job=\"a\", severity=\"page\"}", 1)));
  ASSERT_THAT(collector_.sent, SizeIs(1));
  EXPECT_THAT(collector_.sent[0].annotations, ElementsAre(Label{"text", "a at here: 0"}));
  EXPECT_EQ(collector_.sent[0].starts_at, 3 * kMinute);
  EXPECT_EQ(collector_.sent[0].ends_at, 7 * kMinute);
  EXPECT_EQ(collector_.sent[0].generator_url, "http://pipit/graph?g0.expr=up+%3D%3D+0&g0.tab=1");

  collector_.sent.clear();
  add(up, 4 * kMinute, 1);
  rules->evaluate(4 * kMinute);
  ASSERT_THAT(collector_.sent, SizeIs(1));
  EXPECT_EQ(collector_.sent[0].ends_at, 4 * kMinute);
  EXPECT_THAT(ask("ALERTS", 4 * kMinute), IsEmpty());
  EXPECT_THAT(alerting(*rules).active(), IsEmpty());
  // It is told of for a quarter of an hour more.
  std::size_t resent = 0;
  for (TimestampMs minute = 5; minute < 40; ++minute) {
    collector_.sent.clear();
    rules->evaluate(minute * kMinute);
    resent += collector_.sent.size();
  }
  EXPECT_GE(resent, 7u);
  EXPECT_LE(resent, 16u);
}

TEST_F(RuleGroupTest, KeepFiringFor) {
  const auto rules = group("  - {alert: A, expr: 'up == 0', keep_firing_for: 2m}\n");
  const Labels up = {{"__name__", "up"}};
  add(up, kMinute, 0);
  rules->evaluate(kMinute);
  EXPECT_EQ(alerting(*rules).state(), AlertState::firing);
  add(up, 2 * kMinute, 1);
  rules->evaluate(2 * kMinute);
  rules->evaluate(3 * kMinute);
  EXPECT_EQ(alerting(*rules).state(), AlertState::firing);
  EXPECT_EQ(alerting(*rules).active()[0].second.keep_firing_since, 2 * kMinute);
  rules->evaluate(4 * kMinute);
  EXPECT_EQ(alerting(*rules).state(), AlertState::inactive);
}

TEST_F(RuleGroupTest, AFailingTemplateShowsItsErrorInTheAlert) {
  const auto rules = group(
      "  - {alert: A, expr: 'vector(1)', annotations: {t: '{{ first .Labels }}', q: '{{ query "
      "\"up\" | first | value }}', n: '{{ with query \"vector(7)\" }}{{ . | first | value }}{{ "
      "end }}'}}\n");
  rules->evaluate(kMinute);
  EXPECT_EQ(rules->rules()[0]->status().health, RuleHealth::ok);
  const auto active = alerting(*rules).active();
  ASSERT_THAT(active, SizeIs(1));
  EXPECT_THAT(active[0].second.annotations,
              ElementsAre(Label{"n", "7"},
                          testing::Field(&Label::value, HasSubstr("<error expanding template: error executing template "
                                                                  "__alert_A: template: __alert_A:1:")),
                          testing::Field(&Label::value, HasSubstr("<error expanding template"))));
}

TEST_F(RuleGroupTest, ARestartRestoresSinceWhenAlertsAreActive) {
  const std::string text = "  - {alert: A, expr: 'up == 0', for: 20m}\n";
  add({{"__name__", "up"}}, kMinute, 0);
  const auto before = group(text);
  for (TimestampMs minute = 1; minute <= 16; ++minute) {
    if (minute % 4 == 0) add({{"__name__", "up"}}, minute * kMinute, 0);
    before->evaluate(minute * kMinute);
  }
  EXPECT_EQ(alerting(*before).active()[0].second.active_at, kMinute);

  // Two minutes away: they don't count, and ten are left at least.
  const auto after = group(text, false);
  after->evaluate(18 * kMinute);
  EXPECT_THAT(ask("ALERTS_FOR_STATE @ 1080", 18 * kMinute), SizeIs(1));  // the old sample
  after->evaluate(19 * kMinute);
  ASSERT_TRUE(after->needs_restore());
  after->restore(19 * kMinute);
  EXPECT_FALSE(after->needs_restore());
  EXPECT_EQ(alerting(*after).active()[0].second.active_at, (19 + 10 - 20) * kMinute);

  const auto too_late = group(text, false);
  add({{"__name__", "up"}}, 120 * kMinute, 0);
  too_late->evaluate(120 * kMinute);
  too_late->restore(120 * kMinute);
  EXPECT_EQ(alerting(*too_late).active()[0].second.active_at, 120 * kMinute);
}

TEST_F(RuleGroupTest, AChangedGroupTakesOverAlertsAndSeries) {
  const auto before = group("  - {alert: A, expr: 'up == 0', for: 5m}\n  - {record: old, expr: 'vector(1)'}\n");
  add({{"__name__", "up"}}, kMinute, 0);
  before->evaluate(kMinute);
  const auto after = group("  - {alert: A, expr: 'up < 1', for: 5m}\n");
  after->take_over(*before);
  EXPECT_EQ(alerting(*after).active()[0].second.active_at, kMinute);
  after->evaluate(2 * kMinute);
  EXPECT_THAT(ask("old", 2 * kMinute), IsEmpty());
  EXPECT_THAT(ask("ALERTS", 2 * kMinute), SizeIs(1));
}

TEST_F(RuleGroupTest, AClockSetBackHoldsNothingUp) {
  constexpr TimestampMs kHour = 60 * kMinute;
  const auto rules = group("  - {alert: A, expr: 'up == 0', for: 2m}\n  - {alert: B, expr: 'up == 0'}\n");
  const Labels up = {{"__name__", "up"}};
  for (TimestampMs minute = 1; minute < 10; ++minute) add(up, minute * kMinute, 0);
  add(up, 3 * kHour, 0);
  rules->evaluate(3 * kHour);
  EXPECT_THAT(collector_.sent, SizeIs(1));
  collector_.sent.clear();
  for (TimestampMs minute = 1; minute < 4; ++minute) rules->evaluate(minute * kMinute);
  EXPECT_EQ(alerting(*rules).state(), AlertState::firing);
  // A fires; B is told of again.
  EXPECT_GE(collector_.sent.size(), 2u);
  for (const AlertNotice& notice : collector_.sent) EXPECT_LE(notice.starts_at, 4 * kMinute);
}

TEST_F(RuleGroupTest, EvaluatesWhereNoThreadCanBeStarted) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "  - {record: r" + std::to_string(i) + ", expr: 'vector(1)'}\n";
  ThreadBudget helpers(1);
  context_.helpers = &helpers;
  const auto rules = group(text);
  rules->evaluate(kMinute);
  pthread_attr_t before;
  pthread_attr_t impossible;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  ASSERT_EQ(pthread_attr_init(&impossible), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&impossible, std::size_t{1} << 46), 0);
  ASSERT_EQ(pthread_setattr_default_np(&impossible), 0);
  rules->evaluate(2 * kMinute);
  pthread_setattr_default_np(&before);
  pthread_attr_destroy(&before);
  pthread_attr_destroy(&impossible);
  EXPECT_THAT(ask("count({__name__=~\"r.+\"})", 2 * kMinute), ElementsAre(Pair("{}", 300)));
  EXPECT_TRUE(helpers.take());
}

TEST_F(RuleGroupTest, EvaluationsHaveAnOffsetOfTheirOwn) {
  const auto rules = group("  - {record: a, expr: 'vector(1)'}\n");
  const TimestampMs slot = rules->slot_before(1'700'000'000'000);
  EXPECT_LE(slot, 1'700'000'000'000);
  EXPECT_GT(slot, 1'700'000'000'000 - kMinute);
  EXPECT_EQ(rules->slot_before(slot), slot);
  EXPECT_EQ(rules->slot_before(slot + kMinute - 1), slot);
  EXPECT_EQ(rules->slot_before(slot + kMinute), slot + kMinute);
}

}  // namespace
}  // namespace pipit
