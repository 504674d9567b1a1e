#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "scrape/discovery.h"

namespace pipit {

/// A discovery that asks somebody every refresh_interval.
class PolledDiscovery : public Discovery, public std::enable_shared_from_this<PolledDiscovery> {
 public:
  PolledDiscovery(DiscoveryContext& context, DurationMs interval, const char* mechanism, std::string source)
      : context_(context),
        report_(context.metrics, mechanism, std::move(source)),
        interval_(interval),
        timer_(context.io) {}

  void start(Update update) final {
    update_ = std::move(update);
    refresh();
  }

  void stop() override {
    stopped_ = true;
    timer_.cancel();
  }

 protected:
  /// Asks, and calls `found` or `failed` once, later or at once. The object lives until then.
  virtual void refresh() = 0;

  void found(std::vector<TargetGroup> groups) {
    if (stopped_) return;
    report_.succeeded();
    publish(std::move(groups));
  }

  /// Some of it failed, and what was found of that before is among the groups.
  void found_in_part(std::vector<TargetGroup> groups, const std::string& why) {
    if (stopped_) return;
    report_.failed(why);
    publish(std::move(groups));
  }

  void failed(const std::string& why) {
    if (stopped_) return;
    report_.failed(why);
    wait();
  }

  bool is_stopped() const { return stopped_; }
  template <class Derived>
  std::shared_ptr<Derived> self() {
    return std::static_pointer_cast<Derived>(shared_from_this());
  }

  DiscoveryContext& context_;

 private:
  void publish(std::vector<TargetGroup> groups) {
    if (!std::exchange(answered_, true) || groups != groups_) {
      groups_ = groups;
      update_(std::move(groups));
    }
    wait();
  }

  void wait() {
    timer_.expires_after(std::chrono::milliseconds(interval_));
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      if (!ec && !self->stopped_) self->refresh();
    });
  }

  Update update_;
  RefreshReport report_;
  DurationMs interval_;
  boost::asio::steady_timer timer_;
  std::vector<TargetGroup> groups_;
  bool answered_ = false;
  bool stopped_ = false;
};

}  // namespace pipit
