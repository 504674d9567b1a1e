#include "rules/alerting_rule.h"

#include <algorithm>
#include <cmath>

#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::string_view kAlertName = "alertname";
constexpr std::string_view kAlertState = "alertstate";
constexpr const char* kAlerts = "ALERTS";
constexpr const char* kAlertsForState = "ALERTS_FOR_STATE";
/// Resolved alerts are kept and told of for so long.
constexpr DurationMs kResolvedRetention = DurationMs{15} * 60'000;

}  // namespace

std::string_view alert_state_name(AlertState state) {
  return state == AlertState::inactive ? "inactive" : state == AlertState::pending ? "pending" : "firing";
}

AlertingRule::AlertingRule(RuleConfig config, bool restored)
    : Rule(std::move(config)), templates_(this->config().name), restored_(restored) {
  for (const Label& label : this->config().labels) templates_.add(label.value);
  for (const Label& annotation : this->config().annotations) templates_.add(annotation.value);
}

std::vector<std::string> AlertingRule::written_metrics() const { return {kAlerts, kAlertsForState}; }

TemplateSurroundings AlertingRule::template_surroundings(const RuleEvaluation& evaluation) const {
  TemplateSurroundings surroundings;
  surroundings.now = evaluation.time;
  surroundings.external_url = evaluation.surroundings.external_url;
  surroundings.query = [&evaluation](const std::string& expr) -> Result<std::vector<TemplateSample>> {
    auto result = query_vector(evaluation, expr, evaluation.time);
    if (!result.ok()) return result.error();
    std::vector<TemplateSample> samples;
    for (const ResultSeries& series : result->series) {
      samples.push_back({Labels(labels_of(*result, series.labels)), series.values.front()});
    }
    return samples;
  };
  return surroundings;
}

Result<AlertingRule::Alerts> AlertingRule::expand(const RuleEvaluation& evaluation, const QueryResult& result) {
  AlertTemplates::Functions functions{template_surroundings(evaluation), {}};
  Alerts alerts;
  std::string fault;
  for (const ResultSeries& series : result.series) {
    std::vector<Label> labels = labels_of(result, series.labels);
    const Labels sample_labels(labels);
    const AlertTemplates::Data data{sample_labels, series.values.front(), evaluation.surroundings.external_labels,
                                    evaluation.surroundings.external_url};
    std::erase_if(labels, [](const Label& label) { return label.name == kMetricName; });
    std::size_t text = 0;
    for (const Label& label : config().labels) {
      labels.push_back({label.name, templates_.expand(text++, data, functions, fault)});
    }
    labels.push_back({std::string(kAlertName), config().name});
    Alert alert;
    alert.active_at = evaluation.time;
    alert.value = series.values.front();
    for (const Label& annotation : config().annotations) {
      alert.annotations.push_back({annotation.name, templates_.expand(text++, data, functions, fault)});
    }
    if (!alerts.emplace(Labels(std::move(labels)), std::move(alert)).second) {
      return execution_error("vector contains metrics with the same labelset after applying alert labels");
    }
  }
  if (!fault.empty() && fault != last_fault_) {
    log_warn("Expanding alert template failed; not logged again while it fails in this way",
             {{"alert", config().name}, {"err", fault}});
  }
  last_fault_ = std::move(fault);
  return alerts;
}

void AlertingRule::follow_clock(TimestampMs time) {
  const TimestampMs last = std::exchange(last_time_, time);
  if (last == kNever || time >= last) return;
  for (auto& [labels, alert] : alerts_) {
    for (TimestampMs* each : {&alert.active_at, &alert.fired_at, &alert.resolved_at, &alert.last_sent_at,
                              &alert.valid_until, &alert.keep_firing_since}) {
      if (*each != kNever) *each -= last - time;
    }
  }
}

bool AlertingRule::settle(Alert& alert, bool present, TimestampMs time) {
  if (present) {
    alert.keep_firing_since = kNever;
  } else {
    bool kept = false;
    if (alert.state == AlertState::firing && config().keep_firing > 0) {
      if (alert.keep_firing_since == kNever) alert.keep_firing_since = time;
      kept = time - alert.keep_firing_since < config().keep_firing;
    }
    if (alert.state != AlertState::inactive && !kept) {
      alert.state = AlertState::inactive;
      alert.resolved_at = time;
    }
    if (!kept) return false;
  }
  if (alert.state == AlertState::pending && time - alert.active_at >= config().hold) {
    alert.state = AlertState::firing;
    alert.fired_at = time;
  }
  return true;
}

Result<std::vector<RuleSample>> AlertingRule::evaluate(const RuleEvaluation& evaluation) {
  auto result = query_vector(evaluation, config().expression, evaluation.query_time());
  if (!result.ok()) return result.error();
  auto found = expand(evaluation, *result);
  if (!found.ok()) return found.error();

  const std::lock_guard lock(mutex_);
  follow_clock(evaluation.time);
  for (const auto& [labels, alert] : *found) {
    const auto [known, fresh] = alerts_.try_emplace(labels, alert);
    if (fresh) continue;
    if (known->second.state == AlertState::inactive) {
      known->second = alert;
    } else {
      known->second.value = alert.value;
      known->second.annotations = alert.annotations;
    }
  }
  std::vector<RuleSample> samples;
  std::size_t active = 0;
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    auto& [labels, alert] = *it;
    const bool present = found->contains(labels);
    const bool forgotten =
        !present && (alert.state == AlertState::pending ||
                     (alert.resolved_at != kNever && evaluation.time - alert.resolved_at > kResolvedRetention));
    if (forgotten) {
      it = alerts_.erase(it);
      continue;
    }
    if (settle(alert, present, evaluation.time)) {
      ++active;
      if (restored_) {
        samples.push_back(state_sample(labels, alert));
        samples.push_back(for_state_sample(labels, alert));
      }
    }
    ++it;
  }
  if (evaluation.limit > 0 && active > evaluation.limit) {
    alerts_.clear();
    return execution_error("exceeded limit of " + std::to_string(evaluation.limit) + " with " + std::to_string(active) +
                           " alerts");
  }
  return samples;
}

RuleSample AlertingRule::state_sample(const Labels& labels, const Alert& alert) const {
  std::vector<Label> all(labels.begin(), labels.end());
  all.push_back({std::string(kMetricName), kAlerts});
  all.push_back({std::string(kAlertState), std::string(alert_state_name(alert.state))});
  return {Labels(std::move(all)), 1};
}

RuleSample AlertingRule::for_state_sample(const Labels& labels, const Alert& alert) const {
  std::vector<Label> all(labels.begin(), labels.end());
  all.push_back({std::string(kMetricName), kAlertsForState});
  return {Labels(std::move(all)), std::floor(static_cast<double>(alert.active_at) / 1000)};
}

void AlertingRule::take_over(Rule& before) {
  Rule::take_over(before);
  auto* other = dynamic_cast<AlertingRule*>(&before);
  if (other == nullptr) return;
  const std::scoped_lock lock(mutex_, other->mutex_);
  alerts_ = other->alerts_;  // which is shown until the reload is done
  last_time_ = other->last_time_;
}

std::vector<std::pair<Labels, Alert>> AlertingRule::active() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<Labels, Alert>> active;
  for (const auto& [labels, alert] : alerts_) {
    if (alert.state != AlertState::inactive) active.emplace_back(labels, alert);
  }
  return active;
}

AlertState AlertingRule::state() const {
  const std::lock_guard lock(mutex_);
  AlertState gravest = AlertState::inactive;
  for (const auto& [labels, alert] : alerts_) gravest = std::max(gravest, alert.state);
  return gravest;
}

std::vector<AlertNotice> AlertingRule::due_notices(TimestampMs time, DurationMs resend_delay, DurationMs interval,
                                                   const std::string& generator_url) {
  std::vector<AlertNotice> notices;
  const std::lock_guard lock(mutex_);
  for (auto& [labels, alert] : alerts_) {
    if (alert.state == AlertState::pending) continue;
    const bool changed = alert.resolved_at > alert.last_sent_at;
    if (!changed && alert.last_sent_at != kNever && alert.last_sent_at + resend_delay >= time) continue;
    alert.last_sent_at = time;
    // Time for two evaluations or deliveries to fail.
    alert.valid_until = time + 4 * std::max(interval, resend_delay);
    notices.push_back({labels, alert.annotations, alert.fired_at,
                       alert.resolved_at != kNever ? alert.resolved_at : alert.valid_until, generator_url});
  }
  return notices;
}

Result<std::map<Labels, std::pair<TimestampMs, double>>> AlertingRule::stored_states(
    const Queryable& source, const RestoreOptions& options) const {
  const std::vector<Matcher> matchers = {Matcher::equal(std::string(kMetricName), kAlertsForState),
                                         Matcher::equal(std::string(kAlertName), config().name)};
  SelectRequest request{.matchers = matchers,
                        .min_time = options.now - options.outage_tolerance,
                        .max_time = options.now,
                        .newest_only = true};
  SymbolTable symbols;
  auto cursor = source.select(request, symbols);
  if (!cursor.ok()) return cursor.error();
  std::map<Labels, std::pair<TimestampMs, double>> states;
  for (;;) {
    const auto more = (*cursor)->next();
    if (!more.ok()) return more.error();
    if (!*more) return states;
    if ((*cursor)->times().empty()) continue;
    std::vector<Label> labels;
    for (const LabelPair& label : (*cursor)->labels()) {
      if (symbols.text(label.name) == kMetricName) continue;
      labels.push_back({std::string(symbols.text(label.name)), std::string(symbols.text(label.value))});
    }
    states[Labels(std::move(labels))] = {(*cursor)->times().back(), (*cursor)->values().back()};
  }
}

Status AlertingRule::restore(const Queryable& source, const RestoreOptions& options) {
  if (restored_) return {};
  restored_ = true;
  const DurationMs hold = config().hold;
  // Such a rule waits no longer than the grace period anyway.
  if (hold < options.grace_period) return {};
  const auto states = stored_states(source, options);
  if (!states.ok()) return states.error();
  const std::lock_guard lock(mutex_);
  for (auto& [labels, alert] : alerts_) {
    const auto state = states->find(labels);
    if (state == states->end()) continue;
    const auto [down_at, value] = state->second;
    // Stale: it was not active. Or nothing that a rule would write, but others can.
    constexpr double kFarAway = 1e13;
    if (!(std::abs(value) < kFarAway)) continue;
    TimestampMs active_at = static_cast<TimestampMs>(value) * 1000;
    const DurationMs remaining = hold - (down_at - active_at);
    if (remaining > 0) {
      // It was pending: the outage does not count, and at least the grace period is left.
      active_at = remaining < options.grace_period ? options.now + options.grace_period - hold
                                                   : active_at + (options.now - down_at);
    }
    alert.active_at = active_at;
  }
  return {};
}

}  // namespace pipit
