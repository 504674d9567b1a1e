#include "rules/rule_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "rules/alerting_rule.h"
#include "tools/temporary_store.h"

namespace pipit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::atomic<DurationMs> moved_by{0};
TimestampMs moved_clock() { return now_ms() + moved_by; }

/// A store that answers who asks for `door` only once it is open.
class Door final : public Queryable {
 public:
  explicit Door(const Queryable& store) : store_(store) {}

  void open() { open_ = true; }
  int waiting() const { return waiting_; }

  Result<std::unique_ptr<SeriesCursor>> select(const SelectRequest& request, SymbolTable& symbols) const override {
    const bool asked = std::ranges::any_of(request.matchers, [](const Matcher& m) { return m.value() == "door"; });
    if (asked) ++waiting_;
    while (asked && !open_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return store_.select(request, symbols);
  }
  Result<std::vector<std::string>> label_names(MatcherSets sets, TimestampMs min, TimestampMs max,
                                               std::size_t limit) const override {
    return store_.label_names(sets, min, max, limit);
  }
  Result<std::vector<std::string>> label_values(std::string_view name, MatcherSets sets, TimestampMs min,
                                                TimestampMs max, std::size_t limit) const override {
    return store_.label_values(name, sets, min, max, limit);
  }
  Result<std::vector<Labels>> series(MatcherSets sets, TimestampMs min, TimestampMs max,
                                     std::size_t limit) const override {
    return store_.series(sets, min, max, limit);
  }
  Result<std::vector<MetricMetadata>> metadata(std::string_view metric, std::size_t limit) const override {
    return store_.metadata(metric, limit);
  }

 private:
  const Queryable& store_;
  std::atomic<bool> open_{false};
  mutable std::atomic<int> waiting_{0};
};

class RuleManagerTest : public testing::Test {
 protected:
  ~RuleManagerTest() override { source_.open(); }
  RuleManagerTest() : temporary_(*TemporaryStore::open()) { moved_by = 0; }

  std::unique_ptr<RuleManager> manager() {
    RuleManagerOptions options;
    options.now = moved_clock;
    Store& store = temporary_->store();
    return std::make_unique<RuleManager>(engine_, store, store, temporary_->metrics(), nullptr, options);
  }

  static std::vector<RuleGroupConfig> read(const std::string& text) {
    RuleFiles files;
    parse_rule_file("groups:\n" + text, "r.yml", {}, files);
    EXPECT_THAT(files.faults, IsEmpty());
    return std::move(files.groups);
  }

  static bool wait_for(const std::function<bool()>& holds) {
    for (int i = 0; i < 2000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  static std::vector<std::string> names(const RuleManager& manager) {
    std::vector<std::string> names;
    for (const auto& group : manager.groups()) names.push_back(group->name());
    return names;
  }

  std::unique_ptr<TemporaryStore> temporary_;
  Door source_{temporary_->store()};
  Engine engine_{source_, {}, temporary_->metrics()};
};

TEST_F(RuleManagerTest, GoesOnWhenTheClockIsSet) {
  const auto rules = manager();
  rules->apply(read("- {name: a, interval: 50ms, rules: [{record: x, expr: 'vector(1)'}]}\n"), {});
  const RuleGroup& group = *rules->groups().front();
  const auto evaluated_now = [&] {
    const TimestampMs last = group.rules().front()->status().last_evaluation;
    const TimestampMs begin = now_ms();
    return wait_for([&] { return group.rules().front()->status().last_evaluation > std::max(last, begin); });
  };
  EXPECT_TRUE(evaluated_now());
  for (const DurationMs jump : {-3'600'000, 7'200'000, -40, -86'400'000}) {
    moved_by += jump;
    EXPECT_TRUE(evaluated_now()) << jump;
    EXPECT_TRUE(evaluated_now()) << jump;
  }
}

TEST_F(RuleManagerTest, ASlowGroupDelaysNoOther) {
  if (std::thread::hardware_concurrency() < 2) return;
  const auto rules = manager();
  rules->apply(read("- {name: quick, interval: 20ms, rules: [{record: x, expr: 'vector(1)'}]}\n"
                    "- {name: slow, interval: 20ms, rules: [{record: y, expr: door}]}\n"),
               {});
  ASSERT_THAT(names(*rules), ElementsAre("quick", "slow"));
  const auto groups = rules->groups();
  ASSERT_TRUE(wait_for([&] { return source_.waiting() > 0; }));
  for (int i = 0; i < 3; ++i) {
    const TimestampMs begin = now_ms();
    EXPECT_TRUE(wait_for([&] { return groups[0]->rules()[0]->status().last_evaluation > begin; }));
  }
  EXPECT_EQ(groups[1]->rules()[0]->status().health, RuleHealth::unknown);
  source_.open();
  EXPECT_TRUE(wait_for([&] { return groups[1]->rules()[0]->status().health == RuleHealth::ok; }));
}

TEST_F(RuleManagerTest, AReloadShowsOldOrNewGroupsWithTheirAlerts) {
  const auto rules = manager();
  const auto configuration = [](int version) {
    const std::string value = std::to_string(version);
    return "- {name: a, interval: 20ms, rules: [{alert: A, expr: 'vector(" + value + ")'}]}\n" +
           "- {name: b, interval: 20ms, rules: [{alert: B, expr: 'vector(" + value + ")'}]}\n";
  };
  rules->apply(read(configuration(0)), {});
  const auto all_fire = [&] {
    const auto groups = rules->groups();
    return groups.size() == 2 && std::ranges::all_of(groups, [](const auto& group) {
             return dynamic_cast<const AlertingRule&>(*group->rules()[0]).state() == AlertState::firing;
           });
  };
  ASSERT_TRUE(wait_for(all_fire));
  std::atomic<bool> done{false};
  std::atomic<int> short_lists{0};
  std::thread reader([&] {
    while (!done) short_lists += all_fire() ? 0 : 1;
  });
  for (int version = 1; version < 60; ++version) rules->apply(read(configuration(version)), {});
  done = true;
  reader.join();
  EXPECT_EQ(short_lists, 0);
  rules->apply({}, {});
  EXPECT_THAT(names(*rules), IsEmpty());
}

}  // namespace
}  // namespace pipit
