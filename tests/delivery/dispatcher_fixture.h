#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "delivery/dispatcher.h"
#include "telemetry/metrics.h"
#include "tests/delivery/memory_records.h"

namespace pipit {

/// A dispatcher whose clocks are set, with integrations that do as they are told. A webhook's URL is its name.
class DispatcherTest : public ::testing::Test {
 protected:
  enum class Mode { deliver, fail, refuse, hang };

  class FakeIntegration final : public Integration {
   public:
    FakeIntegration(DispatcherTest& test, std::string name, bool sends_resolved)
        : test_(test), name_(std::move(name)), sends_resolved_(sends_resolved) {}
    std::string_view kind() const override { return "webhook"; }
    bool sends_resolved() const override { return sends_resolved_; }
    void notify(NotificationPtr notification, std::function<void(DeliveryOutcome)> done) override {
      EXPECT_FALSE(done_) << "one at a time";
      done_ = std::move(done);
      test_.attempts_.push_back({name_, notification, test_.now_.steady});
      test_.busy_.push_back(this);
    }
    void cancel() override {
      done_ = nullptr;
      std::erase(test_.busy_, this);
    }
    ~FakeIntegration() override { cancel(); }
    bool finish(Mode mode) {
      if (mode == Mode::hang || !done_) return false;
      std::erase(test_.busy_, this);
      DeliveryOutcome outcome;
      if (mode == Mode::fail) outcome.kind = DeliveryOutcome::Kind::failed;
      if (mode == Mode::refuse) outcome.kind = DeliveryOutcome::Kind::refused;
      if (mode != Mode::deliver) outcome.reason = "no";
      std::exchange(done_, nullptr)(std::move(outcome));
      return true;
    }
    const std::string& name() const { return name_; }

   private:
    DispatcherTest& test_;
    std::string name_;
    bool sends_resolved_;
    std::function<void(DeliveryOutcome)> done_;
  };

  struct Attempt {
    std::string name;
    NotificationPtr notification;
    std::int64_t at;
  };

  void SetUp() override { start(); }

  /// A new process over the same records.
  void start() {
    dispatcher_ = std::make_unique<Dispatcher>(
        metrics_, options_,
        Dispatcher::Seams{
            .write = [this](auto changes, auto done) { writes_.emplace_back(std::move(changes), std::move(done)); },
            .make =
                [this](const ReceiverConfig& receiver) {
                  std::vector<std::unique_ptr<Integration>> made;
                  for (const IntegrationConfig& config : receiver.integrations) {
                    const auto& webhook = std::get<WebhookConfig>(config);
                    made.push_back(std::make_unique<FakeIntegration>(*this, webhook.url.text, webhook.send_resolved));
                  }
                  return made;
                },
            .wake = [] {}});
    EXPECT_TRUE(dispatcher_->load(records_).ok());
  }
  /// As by kill -9: what was not written is lost.
  void kill() {
    dispatcher_.reset();
    writes_.clear();
    busy_.clear();
  }
  void apply(const std::string& yaml) {
    auto config = parse_delivery_config(yaml, "alertmanager.yml");
    ASSERT_TRUE(config.ok()) << config.error().message;
    dispatcher_->apply(std::move(*config), now_);
    advance(0);
  }

  void pump() {
    for (int i = 0; i < 10'000; ++i) {
      next_ = dispatcher_->run(now_);
      bool more = false;
      if (!stuck_disk_) {
        for (auto& [changes, done] : std::exchange(writes_, {})) {
          done(records_.write_records(*changes));
          more = true;
        }
      }
      for (FakeIntegration* each : std::vector(busy_)) {
        if (each->finish(modes_[each->name()])) more = true;
      }
      if (!more) return;
    }
    FAIL() << "it never ends";
  }
  void advance(DurationMs by) {
    const std::int64_t end = now_.steady + by;
    for (;;) {
      pump();
      if (next_ > end) break;
      set(std::max(next_, now_.steady + 1));
      if (now_.steady > end) break;
    }
    if (now_.steady < end) set(end);
    pump();
  }
  void set(std::int64_t steady) {
    now_.wall += steady - now_.steady;
    now_.steady = steady;
  }

  AlertNotice notice(Labels labels, DurationMs valid = 10'000'000) const {
    AlertNotice out;
    out.labels = std::move(labels);
    out.starts_at = now_.wall;
    out.ends_at = now_.wall + valid;
    return out;
  }
  void fire(Labels labels, DurationMs valid = 10'000'000) {
    dispatcher_->take({notice(std::move(labels), valid)}, now_);
    pump();
  }
  void resolve(Labels labels, DurationMs began_before = 1) {
    AlertNotice out = notice(std::move(labels));
    out.starts_at = now_.wall - began_before;
    out.ends_at = now_.wall;
    dispatcher_->take({out}, now_);
    pump();
  }

  /// What was tried since the last call: `NAME GROUPKEY firing=a,b resolved=c`.
  std::vector<std::string> told() {
    std::vector<std::string> texts;
    for (const Attempt& attempt : std::exchange(attempts_, {})) {
      std::string firing;
      std::string resolved;
      for (const auto& alert : attempt.notification->alerts) {
        std::string& list = alert->resolved_at(attempt.notification->now) ? resolved : firing;
        list += (list.empty() ? "" : ",") + std::string(alert->labels.get("i"));
      }
      texts.push_back(attempt.name + " " + attempt.notification->group_key + " firing=" + firing +
                      " resolved=" + resolved);
    }
    return texts;
  }
  double metric(const std::string& line) const {
    const std::string page = metrics_.render();
    const std::size_t at = page.find("\n" + line + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + line.size() + 2));
  }

  MetricsRegistry metrics_;
  DeliveryOptions options_;
  MemoryRecords records_;
  Moment now_{1'795'412'400'000, 1'000'000};
  std::int64_t next_ = 0;
  bool stuck_disk_ = false;
  std::vector<std::pair<std::shared_ptr<const RecordWriter::Changes>, std::function<void(Status)>>> writes_;
  std::vector<Attempt> attempts_;
  std::vector<FakeIntegration*> busy_;
  std::map<std::string, Mode> modes_;
  std::unique_ptr<Dispatcher> dispatcher_;  ///< goes first
};

}  // namespace pipit
