#include "tests/delivery/dispatcher_fixture.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr DurationMs kSecond = 1000;
constexpr DurationMs kMinute = 60 * kSecond;
constexpr DurationMs kHour = 60 * kMinute;

const std::string kSimple = R"(
route: {receiver: team, group_by: [job], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://w'}]}]
)";

TEST_F(DispatcherTest, WaitsTellsAndTellsOfNewsWithTheNextFlush) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}});
  advance(29 * kSecond);
  EXPECT_THAT(told(), IsEmpty());
  fire({{"job", "a"}, {"i", "2"}});
  advance(1 * kSecond);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing=1,2 resolved="));
  advance(1 * kMinute);
  fire({{"job", "a"}, {"i", "3"}});
  fire({{"job", "b"}, {"i", "4"}});
  advance(30 * kSecond);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"b\"} firing=4 resolved="));
  advance(4 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing=1,2,3 resolved="));
}

TEST_F(DispatcherTest, RepeatsAfterTheRepeatInterval) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, 100 * kHour);
  advance(4 * kHour);
  ASSERT_THAT(attempts_, SizeIs(1));
  advance(6 * kMinute);
  ASSERT_THAT(attempts_, SizeIs(2));
  EXPECT_NE(attempts_[0].notification->id, attempts_[1].notification->id);
}

TEST_F(DispatcherTest, TellsThatItIsOverAndForgetsTheAlert) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}});
  fire({{"job", "a"}, {"i", "2"}});
  advance(kMinute);
  told();
  resolve({{"job", "a"}, {"i", "1"}}, kMinute);
  advance(5 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing=2 resolved=1"));
  EXPECT_EQ(records_.count("alert/"), 1U);
  advance(10 * kMinute);
  EXPECT_THAT(told(), IsEmpty());
  // Whoever says so again changes nothing.
  AlertNotice again = notice({{"job", "a"}, {"i", "2"}});
  again.starts_at = now_.wall - 1000;
  again.ends_at = now_.wall;
  dispatcher_->take({again}, now_);
  advance(5 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing= resolved=2"));
  dispatcher_->take({again}, now_);
  advance(kHour);
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(records_.count("alert/"), 0U);
  EXPECT_THAT(dispatcher_->group_views(now_.wall), IsEmpty());
}

TEST_F(DispatcherTest, ResolvesWhatIsNotRepeatedInTime) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, 2 * kMinute);
  advance(6 * kMinute);
  EXPECT_THAT(told(),
              ElementsAre("http://w {}:{job=\"a\"} firing=1 resolved=", "http://w {}:{job=\"a\"} firing= resolved=1"));
}

TEST_F(DispatcherTest, AlertWithoutEndTimesOut) {
  apply("global: {resolve_timeout: 1m}" + kSimple);
  AlertNotice open = notice({{"job", "a"}, {"i", "1"}});
  open.starts_at = 0;
  open.ends_at = 0;
  dispatcher_->take({open}, now_);
  advance(40 * kSecond);
  dispatcher_->take({open}, now_);
  advance(40 * kSecond);
  EXPECT_THAT(dispatcher_->alert_views(now_.wall), SizeIs(1));
  advance(30 * kSecond);
  EXPECT_THAT(dispatcher_->alert_views(now_.wall), IsEmpty());
}

TEST_F(DispatcherTest, WhatCameAndWentBeforeTheFlushIsNotTold) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}});
  advance(10 * kSecond);
  resolve({{"job", "a"}, {"i", "1"}}, 10 * kSecond);
  advance(kHour);
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(records_.count(""), 0U);
}

TEST_F(DispatcherTest, WhoDoesNotWantResolvedAlertsIsNotTold) {
  apply(R"(
route: {receiver: team, group_wait: 0s, group_interval: 1m}
receivers: [{name: team, webhook_configs: [{url: 'http://w', send_resolved: false}]}]
)");
  fire({{"i", "1"}});
  fire({{"i", "2"}});
  advance(kMinute);
  told();
  resolve({{"i", "1"}}, kMinute);
  advance(kMinute);
  resolve({{"i", "2"}}, kMinute);
  advance(2 * kMinute);
  EXPECT_THAT(told(), IsEmpty());
  // It is noted all the same: the next time it is news.
  fire({{"i", "2"}});
  advance(2 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{} firing=2 resolved="));
}

TEST_F(DispatcherTest, OldAlertsNeedNotWait) {
  apply(kSimple);
  AlertNotice old = notice({{"job", "a"}, {"i", "1"}});
  old.starts_at = now_.wall - kHour;
  dispatcher_->take({old}, now_);
  advance(0);
  EXPECT_THAT(told(), SizeIs(1));
}

TEST_F(DispatcherTest, TriesAgainWithBackoffAndTheSameId) {
  apply(kSimple);
  modes_["http://w"] = Mode::fail;
  fire({{"job", "a"}, {"i", "1"}});
  advance(30 * kSecond + 4 * kMinute);
  std::vector<std::int64_t> gaps;
  for (std::size_t i = 1; i < attempts_.size(); ++i) gaps.push_back(attempts_[i].at - attempts_[i - 1].at);
  EXPECT_THAT(gaps, ElementsAre(500, 1000, 2000, 4000, 8000, 16'000, 32'000, 60'000, 60'000));
  for (const Attempt& attempt : attempts_) EXPECT_EQ(attempt.notification->id, attempts_[0].notification->id);
  ASSERT_THAT(dispatcher_->integration_views(), SizeIs(1));
  EXPECT_EQ(dispatcher_->integration_views()[0].last_error, "no");
  modes_["http://w"] = Mode::deliver;
  advance(kMinute);
  told();
  EXPECT_EQ(dispatcher_->integration_views()[0].last_error, "");
  advance(kHour);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(DispatcherTest, WhatIsRefusedIsTriedWithTheNextFlush) {
  apply(kSimple);
  modes_["http://w"] = Mode::refuse;
  fire({{"job", "a"}, {"i", "1"}});
  advance(5 * kMinute);
  EXPECT_THAT(told(), SizeIs(1));
  advance(kMinute);
  EXPECT_THAT(told(), SizeIs(1));
  EXPECT_EQ(
      metric(
          R"(alertmanager_notifications_failed_total{integration="webhook",reason="clientError",receiver_name="team"})"),
      2);
}

TEST_F(DispatcherTest, OneThatHangsDelaysNoOther) {
  apply(R"(
route: {receiver: both, group_by: [job], group_wait: 0s, group_interval: 1m}
receivers: [{name: both, webhook_configs: [{url: 'http://hangs'}, {url: 'http://works'}]}]
)");
  modes_["http://hangs"] = Mode::hang;
  for (int i = 0; i < 10; ++i) fire({{"job", std::to_string(i)}, {"i", "1"}});
  advance(1);
  int works = 0;
  for (const std::string& text : told()) works += text.starts_with("http://works") ? 1 : 0;
  EXPECT_EQ(works, 10);
  fire({{"job", "0"}, {"i", "2"}});
  advance(kMinute);
  EXPECT_THAT(told(), ::testing::Contains("http://works {}:{job=\"0\"} firing=1,2 resolved="));
  // Once it answers, all of its groups are told, each what holds now.
  modes_["http://hangs"] = Mode::deliver;
  advance(1);
  std::set<std::string> groups;
  for (const std::string& text : told()) groups.insert(text);
  EXPECT_THAT(groups, SizeIs(::testing::Ge(6U)));
}

TEST_F(DispatcherTest, ResolvedStayUntilAllWereTold) {
  apply(R"(
route: {receiver: both, group_wait: 0s, group_interval: 1m}
receivers: [{name: both, webhook_configs: [{url: 'http://bad'}, {url: 'http://works'}]}]
)");
  fire({{"i", "1"}});
  advance(1);
  told();
  modes_["http://bad"] = Mode::fail;
  resolve({{"i", "1"}});
  advance(10 * kMinute);
  const auto texts = told();
  EXPECT_EQ(std::count(texts.begin(), texts.end(), "http://works {}:{} firing= resolved=1"), 1);
  EXPECT_EQ(records_.count("alert/"), 1U);
  modes_["http://bad"] = Mode::deliver;
  advance(2 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://bad {}:{} firing= resolved=1"));
  EXPECT_EQ(records_.count("alert/"), 0U);
}

TEST_F(DispatcherTest, ABackAlertIsNotForgottenWithItsOlderSelf) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}});
  advance(kMinute);
  told();
  modes_["http://w"] = Mode::hang;
  resolve({{"job", "a"}, {"i", "1"}}, kMinute);
  advance(5 * kMinute);
  fire({{"job", "a"}, {"i", "1"}}, kHour);
  modes_["http://w"] = Mode::deliver;
  advance(1);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing= resolved=1"));
  advance(6 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing=1 resolved="));
}

TEST_F(DispatcherTest, NewsDoNotEndASlowAttempt) {
  apply(R"(
route: {receiver: both, group_wait: 0s, group_interval: 1s}
receivers: [{name: both, webhook_configs: [{url: 'http://slow'}, {url: 'http://works'}]}]
)");
  modes_["http://slow"] = Mode::hang;
  for (int i = 1; i <= 4; ++i) {
    fire({{"i", std::to_string(i)}});
    advance(kSecond);
  }
  EXPECT_THAT(told(), UnorderedElementsAre(
                          "http://slow {}:{} firing=1 resolved=", "http://works {}:{} firing=1 resolved=",
                          "http://works {}:{} firing=1,2 resolved=", "http://works {}:{} firing=1,2,3 resolved=",
                          "http://works {}:{} firing=1,2,3,4 resolved="));
  // What is news by then is told as soon as it has ended.
  modes_["http://slow"] = Mode::deliver;
  advance(1);
  EXPECT_THAT(told(), ElementsAre("http://slow {}:{} firing=1,2,3,4 resolved="));
  // One that hangs is ended for the news after ten seconds.
  modes_["http://slow"] = Mode::hang;
  fire({{"i", "5"}});
  advance(kSecond);
  told();
  fire({{"i", "6"}});
  advance(8 * kSecond);
  EXPECT_THAT(told(), ElementsAre("http://works {}:{} firing=1,2,3,4,5,6 resolved="));
  advance(2 * kSecond);
  EXPECT_THAT(told(), ElementsAre("http://slow {}:{} firing=1,2,3,4,5,6 resolved="));
}

TEST_F(DispatcherTest, WhatIsOverWhileItIsToldIsToldToBeOver) {
  apply(R"(
route: {receiver: team, group_wait: 0s, group_interval: 1s}
receivers: [{name: team, webhook_configs: [{url: 'http://w'}]}]
)");
  modes_["http://w"] = Mode::hang;
  fire({{"i", "1"}});
  advance(kSecond);
  resolve({{"i", "1"}}, kSecond);
  advance(3 * kSecond);
  modes_["http://w"] = Mode::deliver;
  advance(1);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{} firing=1 resolved=", "http://w {}:{} firing= resolved=1"));
  EXPECT_EQ(records_.count("alert/"), 0U);
}

TEST_F(DispatcherTest, InhibitsByOtherAlertsThatFire) {
  apply(R"(
route: {receiver: team, group_wait: 0s, group_interval: 1m}
receivers: [{name: team, webhook_configs: [{url: 'http://w'}]}]
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [job]
  - source_matchers: [kind="x"]
    target_matchers: [kind=~"x|y"]
)");
  fire({{"i", "1"}, {"severity", "critical"}, {"job", "a"}});
  fire({{"i", "2"}, {"severity", "warning"}, {"job", "a"}});
  fire({{"i", "3"}, {"severity", "warning"}, {"job", "b"}});
  fire({{"i", "4"}, {"kind", "x"}});  // both ends of a rule: not inhibited by the likes of it
  fire({{"i", "5"}, {"kind", "y"}});
  advance(1);
  fire({{"i", "6"}, {"kind", "x"}});
  advance(kMinute);
  EXPECT_THAT(told().back(), "http://w {}:{} firing=1,3,4,6 resolved=");
  for (const AlertView& view : dispatcher_->alert_views(now_.wall)) {
    const bool inhibited = view.alert->labels.get("i") == "2" || view.alert->labels.get("i") == "5";
    EXPECT_EQ(view.inhibited_by.size(), inhibited ? 1U : 0U) << view.alert->labels.to_string();
  }
  resolve({{"i", "1"}, {"severity", "critical"}, {"job", "a"}}, kMinute);
  advance(kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{} firing=2,3,4,6 resolved=1"));
}

TEST_F(DispatcherTest, MuteAndActiveTimesHoldBack) {
  // 2026-11-23 is a Monday, and it is 05:40 UTC.
  apply(R"(
route:
  receiver: team
  group_wait: 0s
  group_interval: 10m
  routes:
    - {matchers: [i="1"], mute_time_intervals: [early]}
    - {matchers: [i="2"], active_time_intervals: [early]}
    - {matchers: [i="3"], active_time_intervals: [weekend]}
receivers: [{name: team, webhook_configs: [{url: 'http://w'}]}]
time_intervals:
  - {name: early, time_intervals: [{times: [{start_time: '05:00', end_time: '06:00'}]}]}
  - {name: weekend, time_intervals: [{weekdays: [saturday, sunday]}]}
)");
  for (const char* i : {"1", "2", "3"}) fire({{"i", i}});
  advance(1);
  EXPECT_THAT(told(), ElementsAre("http://w {}/{i=\"2\"}:{} firing=2 resolved="));
  for (const AlertGroupView& group : dispatcher_->group_views(now_.wall)) {
    const std::string_view i = group.alerts[0].alert->labels.get("i");
    EXPECT_EQ(group.alerts[0].muted_by, i == "1"   ? std::vector<std::string>{"early"}
                                        : i == "3" ? std::vector<std::string>{"weekend"}
                                                   : std::vector<std::string>{});
  }
  advance(25 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}/{i=\"1\"}:{} firing=1 resolved="));
  EXPECT_GE(metric(R"(alertmanager_notifications_suppressed_total{reason="mute_time_interval"})"), 1);
  EXPECT_GE(metric(R"(alertmanager_notifications_suppressed_total{reason="active_time_interval"})"), 1);
}

TEST_F(DispatcherTest, SilencesHoldBackUntilTheyEnd) {
  apply(kSimple);
  Silence silence;
  silence.matchers = {*Matcher::make(MatchType::regex, "i", "1|9")};
  silence.ends_at = now_.wall + 10 * kMinute;
  auto change = dispatcher_->silences().prepare_set(silence, now_.wall);
  ASSERT_TRUE(change.ok());
  dispatcher_->silences().commit(*change);
  fire({{"job", "a"}, {"i", "1"}}, kHour);
  fire({{"job", "a"}, {"i", "2"}}, kHour);
  advance(kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing=2 resolved="));
  for (const AlertView& view : dispatcher_->alert_views(now_.wall)) {
    EXPECT_EQ(view.silenced_by.empty(), view.alert->labels.get("i") == "2");
  }
  advance(20 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing=1,2 resolved="));
}

TEST_F(DispatcherTest, ReloadKeepsGroupsAndWhatWasTold) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}});
  advance(kMinute);
  told();
  fire({{"job", "a"}, {"i", "2"}});
  advance(kMinute);
  apply(kSimple);
  advance(3 * kMinute);
  EXPECT_THAT(told(), IsEmpty());
  advance(kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing=1,2 resolved="));
  // Another receiver knows nothing yet.
  apply(R"(
route: {receiver: other, group_by: [job], group_wait: 30s}
receivers: [{name: other, webhook_configs: [{url: 'http://o'}]}]
)");
  advance(kMinute);
  EXPECT_THAT(told(), ElementsAre("http://o {}:{job=\"a\"} firing=1,2 resolved="));
}

TEST_F(DispatcherTest, ReloadTriesAgainAtOnceWhatWasOnItsWay) {
  apply(kSimple);
  modes_["http://w"] = Mode::hang;
  fire({{"job", "a"}, {"i", "1"}});
  advance(kMinute);
  EXPECT_THAT(told(), SizeIs(1));
  modes_["http://w"] = Mode::deliver;
  apply(kSimple);
  EXPECT_THAT(told(), SizeIs(1));
  advance(kHour);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(DispatcherTest, WhatWasJustToldIsNotedBeforeAReload) {
  apply(kSimple);
  modes_["http://w"] = Mode::hang;
  fire({{"job", "a"}, {"i", "1"}});
  advance(kMinute);
  EXPECT_THAT(told(), SizeIs(1));
  modes_["http://w"] = Mode::deliver;
  ASSERT_THAT(busy_, SizeIs(1));
  busy_[0]->finish(Mode::deliver);  // and nobody has looked at it
  apply(kSimple);
  advance(kHour);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(DispatcherTest, WhatWasJustToldIsNotedBeforeTheEnd) {
  apply(kSimple);
  modes_["http://w"] = Mode::hang;
  fire({{"job", "a"}, {"i", "1"}});
  advance(kMinute);
  EXPECT_THAT(told(), SizeIs(1));
  modes_["http://w"] = Mode::deliver;
  ASSERT_THAT(busy_, SizeIs(1));
  busy_[0]->finish(Mode::deliver);
  dispatcher_->stop(now_);
  ASSERT_TRUE(records_.write_records(dispatcher_->remaining()).ok());
  kill();
  start();
  apply(kSimple);
  advance(kHour);
  EXPECT_THAT(told(), IsEmpty());
}

// ---- restarts

TEST_F(DispatcherTest, RestartTellsNothingTwice) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, 4 * kMinute);
  advance(kMinute);
  EXPECT_THAT(told(), SizeIs(1));
  kill();
  set(now_.steady + 10 * kMinute);
  start();
  apply(kSimple);
  EXPECT_THAT(dispatcher_->alert_views(now_.wall), SizeIs(1));
  fire({{"job", "a"}, {"i", "1"}}, 4 * kMinute);
  advance(2 * kMinute);
  EXPECT_THAT(told(), IsEmpty());
  // And it is resolved once the rules say nothing more.
  advance(10 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing= resolved=1"));
}

TEST_F(DispatcherTest, RestartTellsWhatWasNotTold) {
  apply(kSimple);
  modes_["http://w"] = Mode::fail;
  fire({{"job", "a"}, {"i", "1"}}, 4 * kMinute);
  advance(31 * kSecond);
  const auto before = attempts_;
  ASSERT_FALSE(before.empty());
  told();
  kill();
  modes_["http://w"] = Mode::deliver;
  start();
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, 4 * kMinute);
  advance(kMinute);
  ASSERT_THAT(attempts_, SizeIs(1));
  EXPECT_EQ(attempts_[0].notification->id, before[0].notification->id);
}

TEST_F(DispatcherTest, RestartTellsAtOnceWhoWasNotTold) {
  const std::string both = R"(
route: {receiver: both, group_wait: 0s}
receivers: [{name: both, webhook_configs: [{url: 'http://bad'}, {url: 'http://works'}]}]
)";
  apply(both);
  modes_["http://bad"] = Mode::hang;
  fire({{"i", "1"}});
  advance(10 * kSecond);
  EXPECT_THAT(told(), SizeIs(2));
  kill();
  modes_["http://bad"] = Mode::deliver;
  start();
  apply(both);
  advance(1);
  EXPECT_THAT(told(), ElementsAre("http://bad {}:{} firing=1 resolved="));
}

TEST_F(DispatcherTest, KilledBetweenTellingAndLoggingTellsAgainWithTheSameId) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, 4 * kMinute);
  advance(29 * kSecond);
  modes_["http://w"] = Mode::hang;
  advance(kSecond);
  stuck_disk_ = true;  // it is delivered, and that isn't written
  modes_["http://w"] = Mode::deliver;
  pump();
  ASSERT_THAT(attempts_, SizeIs(1));
  const std::uint64_t id = attempts_[0].notification->id;
  kill();
  told();
  stuck_disk_ = false;
  start();
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, 4 * kMinute);
  advance(kMinute);
  ASSERT_THAT(attempts_, SizeIs(1));
  EXPECT_EQ(attempts_[0].notification->id, id);
}

TEST_F(DispatcherTest, NothingIsToldBeforeTheAlertIsOnTheDisk) {
  apply("route: {receiver: t, group_wait: 0s}\nreceivers: [{name: t, webhook_configs: [{url: 'http://w'}]}]");
  stuck_disk_ = true;
  fire({{"i", "1"}});
  advance(kSecond);
  EXPECT_THAT(told(), IsEmpty());
  stuck_disk_ = false;
  pump();
  EXPECT_THAT(told(), SizeIs(1));
}

TEST_F(DispatcherTest, AFullDiskHoldsNobodyBack) {
  apply(kSimple);
  records_.failing = true;
  fire({{"job", "a"}, {"i", "1"}}, kHour);
  advance(kMinute);
  EXPECT_THAT(told(), SizeIs(1));
  advance(10 * kMinute);
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(records_.count(""), 0U);
  records_.failing = false;
  advance(kMinute);
  EXPECT_EQ(records_.count("told/"), 1U);
  EXPECT_EQ(records_.count("alert/"), 1U);
}

TEST_F(DispatcherTest, AResolvedAlertThatWasNotToldIsToldAfterARestart) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, 4 * kMinute);
  advance(kMinute);
  told();
  resolve({{"job", "a"}, {"i", "1"}}, kMinute);
  kill();
  start();
  apply(kSimple);
  advance(6 * kMinute);
  EXPECT_THAT(told(), ElementsAre("http://w {}:{job=\"a\"} firing= resolved=1"));
  kill();
  start();
  apply(kSimple);
  advance(kHour);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(DispatcherTest, ADeathAfterTheTimeWasUpTellsNothingOld) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, 2 * kMinute);
  advance(6 * kMinute);
  EXPECT_THAT(told(), SizeIs(2));
  kill();
  start();
  apply(kSimple);
  advance(kHour);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(DispatcherTest, TheSameAlertAnotherDayIsAnotherNotification) {
  apply(
      "route: {receiver: t, group_wait: 0s, repeat_interval: 1h}\n"
      "receivers: [{name: t, webhook_configs: [{url: 'http://w'}]}]");
  std::set<std::uint64_t> ids;
  for (int day = 0; day < 3; ++day) {
    fire({{"i", "1"}}, kMinute);
    advance(24 * kHour);
    for (const Attempt& attempt : attempts_) EXPECT_TRUE(ids.insert(attempt.notification->id).second);
    EXPECT_THAT(told(), SizeIs(2));
  }
}

TEST_F(DispatcherTest, RecordsThatCannotBeReadAreLeftOut) {
  apply(kSimple);
  fire({{"job", "a"}, {"i", "1"}}, kHour);
  advance(kMinute);
  told();
  kill();
  for (auto& [key, record] : records_.records) record[0] = 9;  // a format to come
  records_.records["silence/x"] = "";
  start();
  apply(kSimple);
  EXPECT_THAT(dispatcher_->alert_views(now_.wall), IsEmpty());
  fire({{"job", "a"}, {"i", "1"}}, kHour);
  advance(kMinute);
  EXPECT_THAT(told(), SizeIs(1));
}

TEST_F(DispatcherTest, EvaluationsAreNotWritten) {
  apply(kSimple);
  for (int i = 0; i < 100; ++i) {
    AlertNotice again = notice({{"job", "a"}, {"i", "1"}}, 4 * kMinute);
    again.starts_at = 1'795'412'400'000;
    dispatcher_->take({again}, now_);
    advance(kMinute);
  }
  EXPECT_THAT(told(), SizeIs(1));
  EXPECT_LE(records_.writes, 3);
}

TEST_F(DispatcherTest, CountsAlertsByState) {
  apply(kSimple + R"(
inhibit_rules: [{source_matchers: [i="1"], target_matchers: [i="2"]}]
)");
  const auto counts = [&] {
    std::vector<double> found;
    for (const char* state : {"unprocessed", "active", "suppressed"}) {
      found.push_back(metric("alertmanager_alerts{state=\"" + std::string(state) + "\"}"));
    }
    return found;
  };
  fire({{"job", "a"}, {"i", "1"}});
  fire({{"job", "a"}, {"i", "2"}});
  advance(10 * kSecond);
  EXPECT_THAT(counts(), ElementsAre(2, 0, 0));
  advance(kMinute);
  EXPECT_THAT(counts(), ElementsAre(0, 1, 1));
  EXPECT_EQ(metric("alertmanager_receivers"), 1);
  EXPECT_EQ(metric("alertmanager_integrations"), 1);
}

// ---- bounds

TEST_F(DispatcherTest, TheNumberOfAlertsIsBounded) {
  options_.max_alerts = 10;
  kill();
  start();
  apply(kSimple);
  for (int i = 0; i < 100; ++i) fire({{"i", std::to_string(i)}});
  EXPECT_THAT(dispatcher_->alert_views(now_.wall), SizeIs(10));
  EXPECT_EQ(metric(R"(alertmanager_alerts_invalid_total{version="v2"})"), 90);
  fire({{"i", std::string(1 << 20, 'x')}});
  fire({{"i", "\xff"}});
  EXPECT_EQ(metric(R"(alertmanager_alerts_invalid_total{version="v2"})"), 92);
}

}  // namespace
}  // namespace pipit
