#include "delivery/integration_pool.h"

#include <map>

#include "telemetry/metrics.h"

namespace pipit {
namespace {

/// Notifications on their way at once by one integration.
constexpr std::size_t kMostBusy = 4;
/// That are kept, with their connections.
constexpr std::size_t kMostIdle = 1;

}  // namespace

IntegrationPool::IntegrationPool(ReceiverConfig one, std::size_t index, const Make& make, MetricsRegistry& metrics)
    : one_(std::move(one)), make_(make), metrics_(metrics) {
  auto made = make_(one_);
  view_.receiver = one_.name;
  view_.kind = made.front()->kind();
  view_.send_resolved = made.front()->sends_resolved();
  name_ = view_.receiver + "/" + view_.kind + "/" + std::to_string(index);
  idle_.push_back(std::move(made.front()));
  const Labels of_receiver{{"integration", view_.kind}, {"receiver_name", view_.receiver}};
  const Labels of_kind{{"integration", view_.kind}};
  notifications_ = &metrics.counter("alertmanager_notifications_total", "Notifications that were begun.", of_receiver);
  requests_ =
      &metrics.counter("alertmanager_notification_requests_total", "Attempts to deliver a notification.", of_receiver);
  failed_requests_ = &metrics.counter("alertmanager_notification_requests_failed_total",
                                      "Attempts to deliver a notification that failed.", of_receiver);
  latency_ = &metrics.histogram("alertmanager_notification_latency_seconds", "How long attempts took.",
                                {1, 5, 10, 15, 20}, of_kind);
  for (const char* reason : {"clientError", "contextDeadlineExceeded", "other"}) failed(reason);
}

Counter& IntegrationPool::failed(std::string_view reason) const {
  return metrics_.counter(
      "alertmanager_notifications_failed_total", "Notifications that could not be delivered.",
      {{"integration", view_.kind}, {"receiver_name", view_.receiver}, {"reason", std::string(reason)}});
}

bool IntegrationPool::has_free() const { return busy_ < kMostBusy; }

std::unique_ptr<Integration> IntegrationPool::take() {
  if (!has_free()) return nullptr;
  if (idle_.empty()) {
    auto made = make_(one_);
    idle_.push_back(std::move(made.front()));
  }
  ++busy_;
  requests_->add();
  auto integration = std::move(idle_.back());
  idle_.pop_back();
  return integration;
}

void IntegrationPool::give(std::unique_ptr<Integration> integration) {
  --busy_;
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(integration));
}

void IntegrationPool::note_attempt(TimestampMs at, DurationMs took, const std::string& error) {
  view_.last_attempt = at;
  view_.last_duration = took;
  view_.last_error = error;
  latency_->observe(static_cast<double>(took) / 1000);
  if (!error.empty()) failed_requests_->add();
}

std::vector<std::unique_ptr<IntegrationPool>> make_pools(const ReceiverConfig& receiver,
                                                         const IntegrationPool::Make& make, MetricsRegistry& metrics) {
  std::vector<std::unique_ptr<IntegrationPool>> pools;
  std::map<std::size_t, std::size_t> seen;  // of each kind
  for (const IntegrationConfig& config : receiver.integrations) {
    ReceiverConfig one{receiver.name, {config}};
    pools.push_back(std::make_unique<IntegrationPool>(std::move(one), seen[config.index()]++, make, metrics));
  }
  return pools;
}

}  // namespace pipit
