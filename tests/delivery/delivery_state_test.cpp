// What delivery keeps: what was told, alerts, silences, and their records.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/alert_book.h"
#include "delivery/alert_group.h"
#include "delivery/inbox.h"
#include "delivery/notification_log.h"
#include "delivery/record_writer.h"
#include "delivery/silences.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Set = std::vector<std::uint64_t>;

TEST(NotificationLogTest, NeedsTellingAsAlertmanagerDecides) {
  struct Case {
    const char* what;
    bool told;
    Set told_firing, told_resolved;
    DurationMs ago;
    Set firing, resolved;
    bool sends_resolved;
    bool needed;
  };
  constexpr DurationMs kRepeat = 1000;
  const Case cases[] = {
      {"nothing told, one fires", false, {}, {}, 0, {1}, {}, true, true},
      {"nothing told, all is over", false, {}, {}, 0, {}, {1}, true, false},
      {"one more fires", true, {1}, {}, 1, {1, 2}, {}, true, true},
      {"the same", true, {1, 2}, {}, 1, {1, 2}, {}, true, false},
      {"fewer, not known to be over", true, {1, 2}, {}, 1, {1}, {}, true, false},
      {"one is over", true, {1, 2}, {}, 1, {1}, {2}, true, true},
      {"one is over, nobody wants to know", true, {1, 2}, {}, 1, {1}, {2}, false, false},
      {"one is over as told", true, {1}, {2}, 1, {1}, {2}, true, false},
      {"all are over", true, {1}, {}, 1, {}, {1}, true, true},
      {"all are over, nobody wants to know", true, {1}, {}, 1, {}, {1}, false, true},
      {"all are over as told", true, {}, {1}, 1, {}, {1}, true, false},
      {"came and went since", true, {}, {1}, 1, {}, {2}, true, false},
      {"time to repeat", true, {1}, {}, kRepeat + 1, {1}, {}, true, true},
      {"not quite time to repeat", true, {1}, {}, kRepeat, {1}, {}, true, false},
      {"what is over isn't repeated", true, {}, {1}, kRepeat + 1, {}, {1}, true, false},
  };
  for (const Case& each : cases) {
    const ToldEntry entry{1, 1'000'000 - each.ago, 2'000'000, each.told_firing, each.told_resolved};
    EXPECT_EQ(needs_telling(each.told ? &entry : nullptr, each.firing, each.resolved, each.sends_resolved, kRepeat,
                            1'000'000),
              each.needed)
        << each.what;
  }
}

TEST(AlertMergeTest, MergesIntervalsThatOverlap) {
  struct Case {
    const char* what;
    TimestampMs old_start, old_end;
    bool old_timed_out;
    TimestampMs start, end;
    TimestampMs expected_start, expected_end;
  };
  constexpr TimestampMs kNow = 100;
  const Case cases[] = {
      {"again, with a later end", 10, 150, false, 10, 200, 10, 200},
      {"a restarted rule began anew", 10, 150, false, 90, 200, 10, 200},
      {"resolved", 10, 150, false, 10, 100, 10, 100},
      {"a known end that is later rules", 10, 200, false, 20, 150, 10, 200},
      {"one that was made up doesn't", 10, 200, true, 20, 150, 10, 150},
      {"another time", 10, 50, false, 60, 200, 60, 200},
      {"both over: the later end", 10, 90, false, 20, 80, 10, 90},
  };
  for (const Case& each : cases) {
    DeliveredAlert old;
    old.starts_at = each.old_start;
    old.ends_at = each.old_end;
    old.timed_out = each.old_timed_out;
    DeliveredAlert fresh;
    fresh.starts_at = each.start;
    fresh.ends_at = each.end;
    const DeliveredAlert merged = merge_alerts(old, fresh, kNow);
    EXPECT_EQ(merged.starts_at, each.expected_start) << each.what;
    EXPECT_EQ(merged.ends_at, each.expected_end) << each.what;
  }
}

TEST(AlertOrderTest, JobThenInstanceThenTheRest) {
  const Labels in_order[] = {{{"job", "a"}, {"instance", "1"}},
                             {{"job", "a"}, {"instance", "2"}},
                             {{"job", "a"}},
                             {{"job", "b"}, {"instance", "0"}},
                             {{"instance", "0"}},
                             {{"z", "1"}},
                             {{"a", "1"}},
                             {{"a", "1"}, {"b", "1"}},
                             {{"a", "2"}, {"b", "1"}}};
  for (std::size_t i = 0; i < std::size(in_order); ++i) {
    for (std::size_t j = 0; j < std::size(in_order); ++j) {
      DeliveredAlert a;
      a.labels = in_order[i];
      DeliveredAlert b;
      b.labels = in_order[j];
      EXPECT_EQ(told_before(a, b), i < j) << i << " " << j;
    }
  }
}

// ---- silences

Silence silence(std::string_view name, std::string_view value, TimestampMs starts, TimestampMs ends) {
  Silence out;
  out.matchers = {Matcher::equal(std::string(name), std::string(value))};
  out.starts_at = starts;
  out.ends_at = ends;
  out.created_by = "me";
  out.comment = "why";
  return out;
}

std::string set(Silences& silences, const Silence& wanted, TimestampMs now) {
  auto change = silences.prepare_set(wanted, now);
  if (!change.ok()) return "error: " + change.error().message;
  silences.commit(*change);
  return change->id;
}

Silence find(const Silences& silences, const std::string& id) {
  for (const Silence& each : silences.all()) {
    if (each.id == id) return each;
  }
  return {};
}

TEST(SilencesTest, ChangesInPlaceOnlyWhatTellsThePastTruly) {
  Silences silences{{}};
  const std::string id = set(silences, silence("a", "b", 1000, 9000), 2000);
  EXPECT_EQ(id.size(), 36U);
  EXPECT_EQ(find(silences, id).starts_at, 2000);  // not in the past

  Silence longer = find(silences, id);
  longer.ends_at = 20'000;
  longer.comment = "longer";
  EXPECT_EQ(set(silences, longer, 3000), id);
  EXPECT_EQ(find(silences, id).ends_at, 20'000);

  Silence other = find(silences, id);
  other.matchers = {Matcher::equal("a", "c")};
  const std::string second = set(silences, other, 4000);
  EXPECT_NE(second, id);
  EXPECT_EQ(find(silences, id).ends_at, 4000);
  EXPECT_EQ(find(silences, second).starts_at, 4000);

  Silence over = find(silences, id);  // one that is over begins anew
  over.ends_at = 30'000;
  EXPECT_NE(set(silences, over, 5000), id);
  EXPECT_EQ(silences.all().size(), 3U);

  const std::string pending = set(silences, silence("p", "q", 50'000, 60'000), 5000);
  Silence earlier = find(silences, pending);
  earlier.starts_at = 10'000;
  EXPECT_EQ(set(silences, earlier, 6000), pending);
  silences.commit(*silences.prepare_expire(pending, 7000));
  EXPECT_EQ(find(silences, pending).state(7000), SilenceState::expired);
  const auto again = silences.prepare_expire(pending, 8000);  // is over as it was
  ASSERT_TRUE(again.ok());
  silences.commit(*again);
  EXPECT_EQ(find(silences, pending).ends_at, 7000);
  EXPECT_EQ(silences.prepare_expire("nope", 8000).error().kind, ErrorKind::not_found);
}

TEST(SilencesTest, RefusesWhatMakesNoSense) {
  Silences silences{{.silences = 2, .bytes_each = 1000}};
  EXPECT_EQ(set(silences, silence("a", "", 1, 9000), 5),
            "error: invalid silence: at least one matcher must not match the empty string");
  Silence none;
  none.ends_at = 100;
  EXPECT_EQ(set(silences, none, 5), "error: invalid silence: at least one matcher required");
  EXPECT_EQ(set(silences, silence("a", "b", 9000, 9000), 5), "error: start time must be before end time");
  EXPECT_EQ(set(silences, silence("a", "b", 1, 4), 5), "error: end time can't be in the past");
  Silence unknown = silence("a", "b", 1, 9000);
  unknown.id = "x";
  EXPECT_EQ(silences.prepare_set(unknown, 5).error().kind, ErrorKind::not_found);
  Silence large = silence("a", "b", 1, 9000);
  large.comment = std::string(2000, 'x');
  EXPECT_THAT(set(silences, large, 5), ::testing::HasSubstr("silence exceeded maximum size"));
  set(silences, silence("a", "b", 1, 9000), 5);
  set(silences, silence("a", "b", 1, 9000), 5);
  EXPECT_THAT(set(silences, silence("a", "b", 1, 9000), 5), ::testing::HasSubstr("exceeded maximum number"));
}

TEST(SilencesTest, SmallTextsCannotTakeAllMemory) {
  Silences silences{{.bytes = 8 << 20}};
  Silence small = silence("a", "b", 1, 9000);
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "x{1000}";
  small.matchers = {*Matcher::make(MatchType::regex, "a", pattern)};
  std::string last;
  int taken = 0;
  while (taken < 1000 && (last = set(silences, small, 5)).size() == 36) ++taken;
  EXPECT_EQ(last, "error: the regular expressions of silences take too much memory");
  EXPECT_GT(taken, 5);
  EXPECT_EQ(set(silences, silence("a", "b", 1, 9000), 5).size(), 36U);
}

TEST(SilencesTest, GrowInPlaceOnlyWithinTheBound) {
  Silences silences{{.bytes = 50'000}};
  std::string last;
  int grown = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string id = set(silences, silence("a", "b", 1, 9000), 5);
    ASSERT_EQ(id.size(), 36U);
    Silence longer = find(silences, id);
    longer.comment = std::string(10'000, 'x');
    last = set(silences, longer, 6);
    grown += last == id ? 1 : 0;
  }
  EXPECT_EQ(last, "error: silences take too much memory");
  EXPECT_GE(grown, 3);
  EXPECT_LE(grown, 4);
}

TEST(SilencesTest, MuteAgainWhenTheClockIsSetBack) {
  Silences silences{{.retention = 1000}};
  const Labels labels{{"a", "b"}};
  Silences::Matches seen;
  Silences::Matches late;
  set(silences, silence("a", "b", 1, 200), 5);
  EXPECT_TRUE(silences.mutes(labels, seen, 100));
  EXPECT_FALSE(silences.mutes(labels, seen, 500));
  EXPECT_FALSE(silences.mutes(labels, late, 500));
  EXPECT_TRUE(silences.mutes(labels, seen, 100));
  EXPECT_TRUE(silences.mutes(labels, late, 100));
}

TEST(AlertBookTest, UpdatesTakeNoMoreThanTheBound) {
  MetricsRegistry metrics;
  RecordWriter writer([](auto, auto) {}, metrics);
  AlertBook book(
      writer, {.bytes = 40'000}, [](AlertEntry&) {}, [](AlertEntry&) {});
  const auto notice = [](int i, std::string text, TimestampMs ends) {
    AlertNotice out;
    out.labels = Labels{{"i", std::to_string(i)}};
    out.annotations = {{"text", std::move(text)}};
    out.starts_at = 1000;
    out.ends_at = ends;
    return out;
  };
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(book.take(notice(i, "short", 5000), 1, 2000).first, AlertBook::Taken::changed);
  }
  std::size_t bytes = 0;
  for (int i = 0; i < 10; ++i) {
    const auto [taken, entry] = book.take(notice(i, std::string(10'000, 'x'), 3000), 1, 4000);
    ASSERT_EQ(taken, AlertBook::Taken::changed);
    EXPECT_TRUE(entry->alert->resolved_at(4000)) << "its end must not be lost";
    bytes += entry->alert->annotations.at(0).value.size();
  }
  EXPECT_GT(bytes, 10'000U);
  EXPECT_LT(bytes, 40'000U);
}

TEST(RecordWriterTest, WhatIsTooLargeLeavesNothingOlderBehind) {
  MetricsRegistry metrics;
  RecordWriter::Changes written;
  RecordWriter writer([&](const auto& changes, const auto&) { written = *changes; }, metrics);
  writer.put("told/x", "small");
  writer.put("told/x", std::string((1 << 20) + 1, 'x'));
  writer.run(0);
  ASSERT_EQ(written.size(), 1U);
  EXPECT_FALSE(written[0].value);
}

TEST(InboxTest, HoldsWhatWasSaidLastWithinItsBounds) {
  Inbox inbox({.alerts = 3, .bytes = 40'000});
  const auto notice = [](int i, std::size_t length) {
    AlertNotice out;
    out.labels = Labels{{"i", std::to_string(i)}};
    out.annotations = {{"text", std::string(length, 'x')}};
    out.ends_at = static_cast<TimestampMs>(length);
    return out;
  };
  EXPECT_TRUE(inbox.put({notice(1, 10'000), notice(2, 10'000)}).first);
  EXPECT_EQ(inbox.put({notice(3, 30'000)}).dropped, 1U) << "too many bytes";
  EXPECT_EQ(inbox.put({notice(2, 25'000)}).dropped, 0U) << "in place of the other";
  EXPECT_FALSE(inbox.put({notice(3, 10)}).first);
  EXPECT_EQ(inbox.put({notice(4, 10)}).dropped, 1U) << "too many alerts";
  const auto notices = inbox.take();
  ASSERT_EQ(notices.size(), 3U);
  EXPECT_EQ(notices[1].ends_at, 25'000);
  EXPECT_THAT(inbox.take(), IsEmpty());
  EXPECT_EQ(inbox.put({notice(5, 30'000)}).dropped, 0U) << "there is room again";
}

TEST(SilencesTest, KnowWhichAlertsTheyMute) {
  Silences silences{{.retention = 1000}};
  const Labels labels{{"a", "b"}};
  Silences::Matches matches;
  EXPECT_FALSE(silences.mutes(labels, matches, 5));
  const std::string id = set(silences, silence("a", "b", 100, 200), 5);
  set(silences, silence("a", "c", 1, 200), 5);
  EXPECT_FALSE(silences.mutes(labels, matches, 99));
  EXPECT_THAT(silences.muting(labels, matches, 100), ElementsAre(id));
  Silence longer = find(silences, id);
  longer.ends_at = 300;
  set(silences, longer, 150);
  EXPECT_TRUE(silences.mutes(labels, matches, 299));
  EXPECT_FALSE(silences.mutes(labels, matches, 300));
  EXPECT_THAT(silences.collect_garbage(1250), ::testing::SizeIs(1));
  EXPECT_THAT(silences.collect_garbage(1300), ElementsAre("silence/" + id));
  EXPECT_THAT(silences.all(), IsEmpty());
}

// ---- records: docs/storage.md

TEST(DeliveryRecordsTest, AreAsTheDocumentationSays) {
  DeliveredAlert alert;
  alert.labels = Labels{{"a", "b"}};
  alert.annotations = {{"s", "t"}};
  alert.starts_at = 1;
  alert.ends_at = 300;
  alert.updated_at = 2;
  alert.generator_url = "u";
  EXPECT_EQ(encode_alert(alert, true), std::string("\x02\x02\x02\xd8\x04\x04\x01\x01"
                                                   "a\x01"
                                                   "b\x01\x01s\x01t\x01u"));
  Silence quiet = silence("a", "b", 1, 300);
  quiet.updated_at = 2;
  EXPECT_EQ(encode_silence(quiet), std::string("\x01\x01\xac\x02\x02\x02me\x03why\x01\0\x01"
                                               "a\x01"
                                               "b",
                                               18));
  EXPECT_EQ(encode_told("k", {3, 1, 300, {7}, {}}),
            std::string("\x01\x01k\x03\x01\xac\x02\x01\x07\0\0\0\0\0\0\0\0", 17));
}

TEST(DeliveryRecordsTest, DamagedOnesAreRefusedOrRead) {
  DeliveredAlert alert;
  alert.labels = Labels{{"alertname", "b"}, {"c", "d"}};
  alert.annotations = {{"s", "t"}};
  alert.starts_at = 1'795'412'400'000;
  alert.ends_at = 1'795'412'400'000;
  alert.updated_at = 1'795'412'400'000;
  const std::string records[] = {encode_alert(alert, false), encode_silence(silence("a", "b", 1, 300)),
                                 encode_told("{}:{}", {3, 1, 300, {7, 9}, {8}})};
  for (const std::string& record : records) {
    for (std::size_t i = 0; i <= record.size(); ++i) {
      for (int c = 0; c < 256; ++c) {
        std::string damaged = record;
        if (i < record.size()) damaged[i] = static_cast<char>(c);
        if (i == record.size()) damaged.resize(static_cast<std::size_t>(c) % (record.size() + 1));
        (void)decode_alert(damaged);
        (void)decode_silence("id", damaged);
        (void)decode_told(damaged);
      }
    }
  }
  const std::string without_labels(
      "\x02\0\x02\x02\x02\x01\x01"
      "a\0\0\0",
      11);  // the only one has no value
  EXPECT_FALSE(decode_alert(without_labels));
  ASSERT_TRUE(decode_alert(records[0]));
  EXPECT_EQ(decode_alert(records[0])->alert.labels, alert.labels);
  alert.starts_at = -62'135'596'799'000;  // the year 1
  ASSERT_TRUE(decode_alert(encode_alert(alert, false)));
  EXPECT_EQ(decode_alert(encode_alert(alert, false))->alert.starts_at, alert.starts_at);
  ASSERT_TRUE(decode_silence("id", records[1]));
  EXPECT_EQ(decode_silence("id", records[1])->comment, "why");
  ASSERT_TRUE(decode_told(records[2]));
  EXPECT_EQ(decode_told(records[2])->second.firing, (Set{7, 9}));
}

}  // namespace
}  // namespace pipit
