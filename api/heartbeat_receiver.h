#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"

namespace pipit {

class Counter;
class Gauge;
class MetricsRegistry;

/// Takes the heartbeats of other Pipits, or of whatever calls a URL as long as it lives: when each came last is a
/// metric, which a rule watches. Names are fixed, so that a stranger can make no series. Thread-safe.
class HeartbeatReceiver {
 public:
  /// Until one comes, a name's last heartbeat is now: after a restart the senders have their time.
  HeartbeatReceiver(const std::vector<std::string>& names, MetricsRegistry& metrics);

  HttpResponse handle(std::string_view name);

 private:
  struct Received {
    Counter& count;
    Gauge& time;
  };
  std::map<std::string, Received, std::less<>> names_;
};

}  // namespace pipit
