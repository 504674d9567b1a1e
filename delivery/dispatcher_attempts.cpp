// Attempts to tell: one on its way for each group and integration.

#include <algorithm>

#include "delivery/dispatcher.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

constexpr DurationMs kFirstBackoff = 500;
constexpr DurationMs kLastBackoff = 60'000;
/// What another side may ask for at most.
constexpr DurationMs kLongestWait = DurationMs{10} * 60'000;

}  // namespace

void Dispatcher::start(Telling& telling, Moment now) {
  telling.state = Telling::State::waiting;
  // What the number of the notification is made of must outlive a kill before anybody reads it.
  if (!writer_.settled(telling.records)) {
    unwritten_.push_back(telling.weak_from_this());
    return;
  }
  telling.integration = telling.pool->take();
  if (!telling.integration) {
    telling.pool->waiting.push_back(telling.weak_from_this());
    return;
  }
  telling.state = Telling::State::on_its_way;
  telling.began = now.steady;
  telling.began_wall = now.wall;
  ++telling.attempts;
  telling.integration->notify(telling.notification, [this, &telling](DeliveryOutcome outcome) {
    telling.outcome = std::move(outcome);
    finished_.push_back(telling.weak_from_this());
    seams_.wake();
  });
}

void Dispatcher::look_at_finished(Moment now) {
  for (const auto& each : std::exchange(finished_, {})) {
    if (const auto telling = each.lock()) look_at(*telling, now);
  }
}

void Dispatcher::look_at(Telling& telling, Moment now) {
  if (telling.state != Telling::State::on_its_way || !telling.outcome) return;
  const DeliveryOutcome outcome = *std::exchange(telling.outcome, std::nullopt);
  free_instance(telling);
  const bool delivered = outcome.kind == DeliveryOutcome::Kind::delivered;
  telling.pool->note_attempt(telling.began_wall, std::max<DurationMs>(0, now.steady - telling.began),
                             delivered                ? ""
                             : outcome.reason.empty() ? "failed"
                                                      : outcome.reason);
  AlertGroup& group = *telling.group;
  if (std::exchange(telling.overdue, false)) schedule(group, now.steady);
  if (!delivered) return back_off(telling, outcome, now);
  if (std::exchange(telling.complaining, false)) {
    log_info("A notification is delivered after failures",
             {{"integration", telling.pool->name()}, {"group", group.key}, {"attempts", telling.attempts}});
  }
  log_.add(telling.log_key, std::move(telling.firing), std::move(telling.resolved), group.route->repeat_interval,
           now.wall);
  telling.settled = telling.flush;
  telling.notification = nullptr;
  telling.attempts = 0;
  telling.state = Telling::State::idle;
  settle(group, now.wall);
}

void Dispatcher::back_off(Telling& telling, const DeliveryOutcome& outcome, Moment now) {
  const bool refused = outcome.kind == DeliveryOutcome::Kind::refused;
  if (refused || !std::exchange(telling.complaining, true)) {
    log_error(refused ? "A notification is refused; it is tried again with the group's next flush"
                      : "A notification can't be delivered; it is tried again",
              {{"integration", telling.pool->name()}, {"group", telling.group->key}, {"err", outcome.reason}});
  }
  if (refused) {
    telling.complaining = true;
    telling.pool->failed("clientError").add();
    telling.notification = nullptr;
    telling.attempts = 0;
    telling.state = Telling::State::idle;
    return;
  }
  const DurationMs backoff = std::min(kLastBackoff, kFirstBackoff << std::min(telling.attempts - 1, 10));
  const DurationMs asked = std::clamp<DurationMs>(outcome.retry_after.value_or(0), 0, kLongestWait);
  telling.state = Telling::State::backing_off;
  telling.retry_at = now.steady + std::max(backoff, asked);
  retries_.emplace(telling.retry_at, &telling);
}

/// Gives the integration back, for whoever waits for it.
void Dispatcher::free_instance(Telling& telling) {
  telling.pool->give(std::move(telling.integration));
  if (!telling.pool->waiting.empty()) freed_.push_back(telling.pool);
}

void Dispatcher::start_waiting(Moment now) {
  for (const auto& each : std::exchange(unwritten_, {})) {
    const auto telling = each.lock();
    if (telling && telling->state == Telling::State::waiting) start(*telling, now);
  }
  for (IntegrationPool* pool : std::exchange(freed_, {})) {
    while (!pool->waiting.empty() && pool->has_free()) {
      const auto telling = pool->waiting.front().lock();
      pool->waiting.pop_front();
      if (telling && telling->state == Telling::State::waiting) start(*telling, now);
    }
  }
}

/// What was to be told isn't any more, or otherwise.
void Dispatcher::cancel(Telling& telling) {
  if (telling.attempts > 0 && telling.state != Telling::State::idle && telling.complaining) {
    telling.pool->failed("contextDeadlineExceeded").add();
  }
  if (telling.retry_at != kNoMoment) retries_.erase({std::exchange(telling.retry_at, kNoMoment), &telling});
  if (telling.integration) {
    if (!telling.outcome) telling.integration->cancel();
    telling.outcome.reset();
    free_instance(telling);
  }
  telling.notification = nullptr;
  telling.overdue = false;
  telling.attempts = 0;
  telling.state = Telling::State::idle;
}

}  // namespace pipit
