// Which series matchers select: the store is compared with the plain stand-in, which asks every series.

#include <filesystem>
#include <random>

#include "storage/database.h"
#include "storage/keys.h"
#include "storage/postings.h"
#include "tests/storage/memory_store.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

struct Case {
  std::vector<Matcher> matchers;
  std::size_t expected;
};

class MatcherTest : public StoreTest {
 protected:
  void SetUp() override {
    open();
    for (const char* name : {"http_requests_total", "http_errors_total", "up"}) {
      for (const char* job : {"api", "web", ""}) {
        for (const char* instance : {"a:1", "a:2", "b:1"}) {
          const Labels labels{{"__name__", name}, {"job", job}, {"instance", instance}};
          add(labels, 1000, 1);
          memory_.add(labels, 1000, 1);
        }
      }
    }
  }
  MemoryStore memory_;
};

TEST_F(MatcherTest, AllKindsAndTheEmptyValue) {
  using enum MatchType;
  const std::vector<Case> cases = {
      {{match(equal, "__name__", "up")}, 9},
      {{match(equal, "__name__", "none")}, 0},
      {{match(equal, "job", "api")}, 9},
      {{match(equal, "job", "")}, 9},
      {{match(not_equal, "job", "")}, 18},
      {{match(not_equal, "job", "api")}, 18},
      {{match(regex, "job", "api|web")}, 18},
      {{match(regex, "job", "api|")}, 18},
      {{match(regex, "job", ".*")}, 27},
      {{match(regex, "job", ".+")}, 18},
      {{match(regex, "job", "")}, 9},
      {{match(not_regex, "job", "a.*")}, 18},
      {{match(not_regex, "job", ".+")}, 9},
      {{match(not_regex, "job", "")}, 18},
      {{match(not_regex, "job", "api|web")}, 9},
      {{match(not_regex, "job", ".*")}, 0},
      {{match(regex, "instance", "a:.")}, 18},
      {{match(regex, "instance", "a")}, 0},
      {{match(regex, "__name__", "http_.*"), match(not_equal, "instance", "a:1")}, 12},
      {{match(regex, "__name__", "http_(requests|errors)_total"), match(equal, "job", "web")}, 6},
      {{match(not_equal, "__name__", "up"), match(equal, "job", "web")}, 6},
      {{match(not_regex, "__name__", "http.*")}, 9},
      {{match(equal, "job", "api"), match(equal, "job", "web")}, 0},
      {{match(equal, "missing", "")}, 27},
      {{match(not_equal, "missing", "")}, 0},
      {{match(regex, "missing", "x?"), match(equal, "__name__", "up")}, 9},
      {{}, 27},
  };
  for (const bool on_disk : {false, true}) {
    if (on_disk) reopen();
    for (const Case& c : cases) {
      std::string text;
      for (const Matcher& m : c.matchers) text += m.to_string() + " ";
      SCOPED_TRACE(text);
      const SeriesList found = select_all(*store_, c.matchers);
      EXPECT_EQ(found.size(), c.expected);
      EXPECT_EQ(found, select_all(memory_, c.matchers));
      const std::vector<std::vector<Matcher>> sets{c.matchers};
      EXPECT_EQ(store_->series(sets, 0, 2000, 0).value(), memory_.series(sets, 0, 2000, 0).value());
      EXPECT_EQ(store_->label_names(sets, 0, 2000, 0).value(), memory_.label_names(sets, 0, 2000, 0).value());
      for (const char* name : {"__name__", "job", "instance", "missing"}) {
        EXPECT_EQ(store_->label_values(name, sets, 0, 2000, 0).value(),
                  memory_.label_values(name, sets, 0, 2000, 0).value());
      }
    }
  }
}

TEST_F(MatcherTest, SetsAreADisjunctionAndLimitsCut) {
  const std::vector<std::vector<Matcher>> sets{{Matcher::equal("job", "api")}, {Matcher::equal("instance", "a:1")}};
  EXPECT_EQ(store_->series(sets, 0, 2000, 0).value(), memory_.series(sets, 0, 2000, 0).value());
  EXPECT_EQ(store_->series(sets, 0, 2000, 0).value().size(), 15u);
  EXPECT_EQ(store_->series(sets, 0, 2000, 4).value(), memory_.series(sets, 0, 2000, 4).value());
  EXPECT_TRUE(store_->series(sets, 1001, 2000, 0).value().empty());
  EXPECT_EQ(store_->label_names({}, kMinTimestamp, kMaxTimestamp, 0).value(),
            (std::vector<std::string>{"__name__", "instance", "job"}));
  EXPECT_EQ(store_->label_names({}, kMinTimestamp, kMaxTimestamp, 2).value().size(), 2u);
  EXPECT_EQ(store_->label_values("job", {}, kMinTimestamp, kMaxTimestamp, 0).value(),
            (std::vector<std::string>{"api", "web"}));
  EXPECT_EQ(store_->label_values("instance", {}, kMinTimestamp, kMaxTimestamp, 2).value(),
            (std::vector<std::string>{"a:1", "a:2"}));
  EXPECT_TRUE(store_->label_values("missing", {}, kMinTimestamp, kMaxTimestamp, 0).value().empty());
}

/// Of many metrics, a label's values are asked for once: the few that are chosen are looked up, of more the lists are
/// scanned.
TEST_F(StoreTest, ExpressionsOverManyMetrics) {
  open();
  MemoryStore memory;
  for (int m = 0; m < 9; ++m) {
    for (int i = m; i < 60 + m; ++i) {
      const Labels labels{{"__name__", "m" + std::to_string(m)},
                          {"instance", "10.0." + std::to_string(i % 3) + "." + std::to_string(i)},
                          {"zone", i % 4 == 0 ? "" : "z" + std::to_string(i % 4)}};
      add(labels, 1000, 1);
      memory.add(labels, 1000, 1);
    }
  }
  using enum MatchType;
  const Matcher any_name = match(regex, "__name__", ".+");
  const std::vector<std::vector<Matcher>> selections = {
      {any_name, match(regex, "instance", ".*\\.(7|8)")},
      {any_name, match(regex, "instance", ".*[0-8]")},
      {any_name, match(regex, "instance", "10\\.0\\.1\\..*")},
      {match(regex, "instance", "10\\.0\\.1\\..*")},
      {match(regex, "instance", "10.0.0.0|10.0.1.1|10.0.2.65|none")},
      {match(not_equal, "__name__", "m3"), match(regex, "instance", "10.0.0.6|10.0.1.7")},
      {match(regex, "__name__", "m[2-8]"), match(equal, "instance", "10.0.0.6")},
      {match(not_regex, "instance", ".*\\.(7|8)")},
      {match(not_regex, "instance", ".*[0-8]"), match(regex, "zone", "z.+")},
      {match(regex, "zone", "z?2?"), match(not_regex, "instance", "10\\.0\\.[01].*")},
      {match(not_regex, "zone", ".+"), match(regex, "instance", ".*1.*")},
      {match(regex, "zone", "|z1"), match(regex, "instance", ".*3")},
  };
  for (const bool on_disk : {false, true}) {
    if (on_disk) reopen();
    for (const auto& matchers : selections) {
      std::string text;
      for (const Matcher& m : matchers) text += m.to_string() + " ";
      const SeriesList found = select_all(*store_, matchers);
      EXPECT_FALSE(found.empty()) << text;
      EXPECT_EQ(found, select_all(memory, matchers)) << text;
    }
  }
}

/// Series that come and go, days, checkpoints and restarts at random: the store and the stand-in agree.
TEST_F(StoreTest, AgreesWithThePlainStandIn) {
  open();
  MemoryStore memory;
  std::mt19937_64 random(5);
  TimestampMs now = 1'700'000'000'000;
  for (int round = 0; round < 60; ++round) {
    std::vector<Labels> page;
    for (int i = 0; i < 40; ++i) {
      page.push_back({{"__name__", "m" + std::to_string(i % 7)},
                      {"pod", "p" + std::to_string(round / 10) + "-" + std::to_string(i)},
                      {"zone", i % 3 == 0 ? "" : "z" + std::to_string(i % 3)}});
    }
    for (int scrape = 0; scrape < 10; ++scrape, now += 15'000 + (random() % 10 == 0 ? 7'000'000 : 0)) {
      std::vector<SeriesRef> refs;
      std::vector<SeriesRef> memory_refs;
      std::vector<double> values;
      for (const Labels& labels : page) {
        if (random() % 10 == 0) continue;
        refs.push_back(store_->series(labels).value());
        memory_refs.push_back(memory.series(labels).value());
        values.push_back(random() % 3 == 0 ? static_cast<double>(random() % 100) / 10 : 1);
      }
      ASSERT_EQ(store_->append({refs, values, {&now, 1}}).value().stored, refs.size());
      ASSERT_TRUE(memory.append({memory_refs, values, {&now, 1}}).ok());
    }
    if (round % 7 == 3) checkpoint();
    if (round % 23 == 11) reopen();
    const TimestampMs from = now - static_cast<TimestampMs>(random() % 200'000'000);
    const std::vector<Matcher> some = {match(MatchType::regex, "pod", "p[0-3]-.*1"),
                                       match(MatchType::not_equal, "zone", "z2")};
    ASSERT_EQ(select_all(*store_, some, from, now), select_all(memory, some, from, now));
    const auto one_metric = metric("m3");
    ASSERT_EQ(select_all(*store_, one_metric, from, now - 50'000), select_all(memory, one_metric, from, now - 50'000));
    const std::vector<std::vector<Matcher>> sets{some};
    ASSERT_EQ(store_->label_values("pod", sets, 0, now, 0).value(),
              memory.label_values("pod", sets, 0, now, 0).value());
  }
  const std::vector<Matcher> everything;
  EXPECT_EQ(select_all(*store_, everything), select_all(memory, everything));
}

/// A run of a few bytes that stands for a hundred million series takes no memory before it is known for damage.
TEST_F(MatcherTest, AListOfMoreThanThereAreIsDamaged) {
  struct Damaged {
    char kind;
    std::vector<Matcher> matchers;
  };
  const Damaged cases[] = {
      {kIndexPosting, {match(MatchType::equal, "__name__", "up"), match(MatchType::equal, "job", "api")}},
      {kIndexPosting, {match(MatchType::equal, "__name__", "up"), match(MatchType::regex, "job", "a.*")}},
      {kIndexPosting, {match(MatchType::equal, "__name__", "up"), match(MatchType::regex, "job", "api|web")}},
      {kIndexLabelMetrics, {match(MatchType::equal, "job", "api")}},
      {kIndexActivity, {match(MatchType::equal, "__name__", "up")}},
  };
  for (const Damaged& c : cases) {
    store_.reset();
    const auto copy = folder_.path() / "damaged";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(options().path, copy);
    {
      auto database = Database::open({copy, 1 << 20, {}}).value();
      rocksdb::WriteBatch batch;
      auto it = database->iterate(database->index());
      for (it->Seek(std::string(1, c.kind)); it->Valid() && it->key()[0] == c.kind; it->Next()) {
        batch.Put(database->index(), it->key(), encode_postings(PostingRuns{{0, 100'000'000}}));
      }
      ASSERT_GT(batch.Count(), 0u);
      ASSERT_TRUE(database->write(batch).ok());
    }
    StoreOptions damaged = options();
    damaged.path = copy;
    MetricsRegistry metrics;
    auto store = Store::open(damaged, metrics).value();
    SymbolTable symbols;
    auto cursor = store->select({c.matchers, 0, 2000, nullptr}, symbols);
    Error error;
    if (cursor.ok()) {
      auto more = (*cursor)->next();
      ASSERT_FALSE(more.ok()) << c.kind;
      error = more.error();
    } else {
      error = cursor.error();
    }
    EXPECT_EQ(error.kind, ErrorKind::internal);
    EXPECT_NE(error.message.find("damaged"), std::string::npos) << error.message;
  }
}

}  // namespace
}  // namespace pipit
