#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "delivery/alert_group.h"
#include "delivery/delivery.h"
#include "delivery/integration.h"

namespace pipit {

class Counter;
class Histogram;
class MetricsRegistry;

/// One integration of a receiver: some instances of it, as each tells one thing at a time, and what became of them.
/// Groups wait for one another here only when all of them hang on the same server.
class IntegrationPool {
 public:
  using Make = std::function<std::vector<std::unique_ptr<Integration>>(const ReceiverConfig&)>;

  /// `one` has just this integration, which is `index` among those of its kind.
  IntegrationPool(ReceiverConfig one, std::size_t index, const Make& make, MetricsRegistry& metrics);

  bool has_free() const;
  /// Null: all are on their way.
  std::unique_ptr<Integration> take();
  void give(std::unique_ptr<Integration> integration);

  const std::string& name() const { return name_; }  ///< `RECEIVER/KIND/INDEX`
  bool sends_resolved() const { return view_.send_resolved; }

  std::deque<std::weak_ptr<Telling>> waiting;  ///< for an instance

  void note_attempt(TimestampMs at, DurationMs took, const std::string& error);
  const IntegrationView& view() const { return view_; }
  Counter& notifications() const { return *notifications_; }
  /// Alertmanager's reasons: "clientError", "contextDeadlineExceeded", "other".
  Counter& failed(std::string_view reason) const;

 private:
  ReceiverConfig one_;
  Make make_;
  MetricsRegistry& metrics_;
  std::string name_;
  IntegrationView view_;
  std::vector<std::unique_ptr<Integration>> idle_;
  std::size_t busy_ = 0;
  Counter* notifications_ = nullptr;
  Counter* requests_ = nullptr;
  Counter* failed_requests_ = nullptr;
  Histogram* latency_ = nullptr;
};

/// The pools of a receiver's integrations, in order.
std::vector<std::unique_ptr<IntegrationPool>> make_pools(const ReceiverConfig& receiver,
                                                         const IntegrationPool::Make& make, MetricsRegistry& metrics);

}  // namespace pipit
