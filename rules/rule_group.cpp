#include "rules/rule_group.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "model/duration.h"
#include "model/thread_without_signals.h"
#include "rules/alerting_rule.h"
#include "rules/generator_url.h"
#include "rules/recording_rule.h"
#include "rules/rule_levels.h"
#include "rules/rule_writer.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

using Clock = std::chrono::steady_clock;

/// Helpers are started for a group that took longer than that.
constexpr double kWorthHelpers = 0.005;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string refusal_text(const RuleWriteReport& report) {
  const std::string count = std::to_string(report.refused) + " sample" + (report.refused == 1 ? "" : "s");
  switch (report.refusal) {
    case AppendReport::Refusal::duplicate:
      return "duplicate sample for timestamp (" + count + ")";
    case AppendReport::Refusal::out_of_order:
      return "out of order sample (" + count + ")";
    case AppendReport::Refusal::too_old:
      return "too old sample (" + count + ")";
    default:
      return "out of bounds (" + count + ")";
  }
}

std::unique_ptr<Rule> make_rule(RuleConfig config, bool restored) {
  if (config.alerting) return std::make_unique<AlertingRule>(std::move(config), restored);
  return std::make_unique<RecordingRule>(std::move(config));
}

}  // namespace

RuleGroup::RuleGroup(RuleGroupConfig config, const RuleGroupContext& context,
                     std::shared_ptr<const RuleSurroundings> surroundings, bool restored)
    : file_(std::move(config.file)),
      name_(std::move(config.name)),
      interval_(config.interval),
      query_offset_(config.query_offset.value_or(0)),
      limit_(config.limit),
      context_(context),
      restored_(restored),
      surroundings_(std::move(surroundings)),
      rule_seconds_(context.metrics.histogram("prometheus_rule_evaluation_duration_seconds",
                                              "How long rules took to evaluate.", {0.001, 0.01, 0.1, 1, 10})),
      group_seconds_(context.metrics.histogram("prometheus_rule_group_duration_seconds",
                                               "How long rule groups took to evaluate.", {0.01, 0.1, 1, 10, 100})) {
  rules_.reserve(config.rules.size());
  for (RuleConfig& rule : config.rules) rules_.push_back(make_rule(std::move(rule), restored));
  levels_ = rule_levels(rules_);
  register_metrics();
}

RuleGroup::~RuleGroup() { context_.metrics.remove_callbacks(this); }

void RuleGroup::register_metrics() {
  const Labels labels = {{"rule_group", file_ + ";" + name_}};
  const auto add = [&](MetricType type, const char* name, const char* help, std::function<double()> read) {
    context_.metrics.callback(this, type, name, help, std::move(read), labels);
  };
  const auto counter = [&](const char* name, const char* help, const std::atomic<std::uint64_t>& value) {
    add(MetricType::counter, name, help, [&value] { return static_cast<double>(value); });
  };
  counter("prometheus_rule_group_iterations_total", "Scheduled evaluations of the group, with the missed ones.",
          iterations_);
  counter("prometheus_rule_group_iterations_missed_total", "Evaluations that were missed, as one before took too long.",
          missed_);
  counter("prometheus_rule_evaluations_total", "Rules that were evaluated.", evaluations_);
  counter("prometheus_rule_evaluation_failures_total", "Rules whose evaluation failed.", failures_);
  const auto gauge = [&](const char* name, const char* help, std::function<double()> read) {
    add(MetricType::gauge, name, help, std::move(read));
  };
  gauge("prometheus_rule_group_interval_seconds", "The interval of the group.",
        [this] { return static_cast<double>(interval_) / 1000; });
  gauge("prometheus_rule_group_rules", "Rules of the group.", [this] { return static_cast<double>(rules_.size()); });
  gauge("prometheus_rule_group_last_duration_seconds", "How long the last evaluation took.",
        [this] { return last_duration_.load(); });
  gauge("prometheus_rule_group_last_rule_duration_sum_seconds",
        "How long all rules took together in the last evaluation.", [this] { return rule_seconds_sum_.load(); });
  gauge("prometheus_rule_group_last_restore_duration_seconds", "How long it took to restore the state of alerts.",
        [this] { return restore_seconds_.load(); });
  gauge("prometheus_rule_group_last_evaluation_timestamp_seconds", "When the last evaluation was.", [this] {
    const TimestampMs last = last_evaluation_;
    return last == kMinTimestamp ? 0 : static_cast<double>(last) / 1000;
  });
  gauge("prometheus_rule_group_last_evaluation_samples", "Samples that the last evaluation gave.",
        [this] { return static_cast<double>(last_samples_); });
}

TimestampMs RuleGroup::slot_before(TimestampMs now) const {
  const Labels identity = {{"file", file_}, {"name", name_}};
  const auto offset = static_cast<TimestampMs>(identity.hash() % static_cast<std::uint64_t>(interval_));
  const TimestampMs moved = now - offset;
  return moved - moved % interval_ + offset;
}

void RuleGroup::evaluate(TimestampMs time) {
  ++iterations_;
  const auto begin = Clock::now();
  const TimestampMs started = now_ms();
  std::shared_ptr<const RuleSurroundings> surroundings;
  {
    const std::lock_guard lock(surroundings_mutex_);
    surroundings = surroundings_;
  }
  last_samples_ = 0;
  for (const auto& level : levels_) evaluate_level(level, time, *surroundings);
  if (!left_over_.empty() && !canceled_) {
    static_cast<void>(mark_stale(context_.appender, std::exchange(left_over_, {}), time - query_offset_));
  }
  double sum = 0;
  for (const auto& rule : rules_) sum += rule->status().evaluation_seconds;
  rule_seconds_sum_ = sum;
  last_duration_ = seconds_since(begin);
  last_evaluation_ = started;
  group_seconds_.observe(last_duration_);
}

void RuleGroup::evaluate_level(const std::vector<std::uint32_t>& level, TimestampMs time,
                               const RuleSurroundings& surroundings) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < level.size() && !canceled_; i = next++) {
      evaluate_rule(*rules_[level[i]], time, surroundings);
    }
  };
  std::vector<std::thread> helpers;
  if (last_duration_ > kWorthHelpers && context_.helpers != nullptr) {
    while (helpers.size() + 1 < level.size() && context_.helpers->take()) {
      std::thread helper = try_thread_without_signals(work);
      if (!helper.joinable()) {
        context_.helpers->give_back(1);
        break;
      }
      helpers.push_back(std::move(helper));
    }
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (!helpers.empty()) context_.helpers->give_back(helpers.size());
}

void RuleGroup::evaluate_rule(Rule& rule, TimestampMs time, const RuleSurroundings& surroundings) {
  const auto begin = Clock::now();
  ++evaluations_;
  RuleStatus status;
  status.last_evaluation = now_ms();
  status.health = RuleHealth::ok;
  auto samples = rule.evaluate({surroundings, time, query_offset_, limit_, &canceled_});
  if (canceled_) return;
  if (samples.ok()) {
    last_samples_ += samples->size();
    tell_alerts(rule, time, surroundings);
    store(rule, *samples, time - query_offset_, status);
  } else {
    status.health = RuleHealth::err;
    status.last_error = samples.error().message;
    ++failures_;
  }
  status.evaluation_seconds = seconds_since(begin);
  rule_seconds_.observe(status.evaluation_seconds);
  if (status.health == RuleHealth::err && rule.status().last_error != status.last_error) {
    log_warn("Evaluating rule failed",
             {{"file", file_}, {"group", name_}, {"name", rule.config().name}, {"err", status.last_error}});
  }
  rule.set_status(std::move(status));
}

void RuleGroup::store(Rule& rule, const std::vector<RuleSample>& samples, TimestampMs time, RuleStatus& status) {
  const auto written = write_rule_samples(context_.appender, samples, time, rule.stored_series);
  if (written.ok() && written->refused == 0) return;
  status.health = RuleHealth::err;
  status.last_error = written.ok() ? refusal_text(*written) : written.error().message;
}

void RuleGroup::tell_alerts(Rule& rule, TimestampMs time, const RuleSurroundings& surroundings) {
  auto* alerting = dynamic_cast<AlertingRule*>(&rule);
  if (alerting == nullptr || context_.sink == nullptr) return;
  auto notices = alerting->due_notices(time, context_.resend_delay, interval_,
                                       generator_url(surroundings.external_url, rule.config().expression));
  if (!notices.empty()) context_.sink->send(std::move(notices));
}

void RuleGroup::restore(TimestampMs now) {
  const auto begin = Clock::now();
  for (const auto& rule : rules_) {
    auto* alerting = dynamic_cast<AlertingRule*>(rule.get());
    if (alerting == nullptr) continue;
    const Status restored = alerting->restore(context_.source, {now, context_.outage_tolerance, context_.grace_period});
    if (!restored.ok()) {
      log_error("The state of alerts is not restored",
                {{"file", file_}, {"group", name_}, {"name", rule->config().name}, {"err", restored.error()}});
    }
  }
  restored_ = true;
  restore_seconds_ = seconds_since(begin);
}

void RuleGroup::take_over(RuleGroup& before) {
  const auto key = [](const Rule& rule) {
    std::string text = rule.config().alerting ? "a" : "r";
    text += rule.config().name;
    for (const Label& label : rule.config().labels) text += '\xff' + label.name + '\xff' + label.value;
    return text;
  };
  std::multimap<std::string, Rule*> old;
  for (const auto& rule : before.rules_) old.emplace(key(*rule), rule.get());
  for (const auto& rule : rules_) {
    const auto found = old.lower_bound(key(*rule));
    if (found == old.end() || found->first != key(*rule)) continue;
    rule->take_over(*found->second);
    old.erase(found);
  }
  left_over_ = std::move(before.left_over_);
  for (const auto& [name, rule] : old) {
    left_over_.insert(left_over_.end(), rule->stored_series.begin(), rule->stored_series.end());
    rule->stored_series.clear();
  }
  iterations_ = before.iterations_.load();
  missed_ = before.missed_.load();
  evaluations_ = before.evaluations_.load();
  failures_ = before.failures_.load();
  last_duration_ = before.last_duration_.load();
  last_evaluation_ = before.last_evaluation_.load();
}

void RuleGroup::mark_all_stale(TimestampMs time) {
  std::vector<SeriesRef> all = std::exchange(left_over_, {});
  for (const auto& rule : rules_) {
    all.insert(all.end(), rule->stored_series.begin(), rule->stored_series.end());
    rule->stored_series.clear();
  }
  static_cast<void>(mark_stale(context_.appender, all, time));
}

bool RuleGroup::is_same(const RuleGroupConfig& config) const {
  if (config.interval != interval_ || config.query_offset.value_or(0) != query_offset_ || config.limit != limit_ ||
      config.rules.size() != rules_.size()) {
    return false;
  }
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const RuleConfig& a = rules_[i]->config();
    const RuleConfig& b = config.rules[i];
    const bool same = a.alerting == b.alerting && a.name == b.name && a.hold == b.hold &&
                      a.keep_firing == b.keep_firing && a.labels == b.labels && a.annotations == b.annotations &&
                      a.expression == b.expression;
    if (!same) return false;
  }
  return true;
}

void RuleGroup::set_surroundings(std::shared_ptr<const RuleSurroundings> surroundings) {
  const std::lock_guard lock(surroundings_mutex_);
  surroundings_ = std::move(surroundings);
}

}  // namespace pipit
