#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/metrics.h"

namespace pipit {

/// Counts the requests of one handler. The counters of codes are made when first needed. Thread-safe.
class HandlerMetrics {
 public:
  HandlerMetrics(MetricsRegistry& registry, std::string_view handler)
      : registry_(registry),
        handler_(handler),
        duration_(registry.histogram("pipit_http_request_duration_seconds",
                                     "Time from a whole request to the start of its answer.", {0.001, 0.01, 0.1, 1, 10},
                                     {{"handler", handler_}})) {}

  void count(int status, double seconds) {
    duration_.observe(seconds);
    std::lock_guard lock(mutex_);
    for (const auto& [code, counter] : counters_) {
      if (code == status) return counter->add();
    }
    Counter& counter = registry_.counter("pipit_http_requests_total", "Requests that were answered.",
                                         {{"handler", handler_}, {"code", std::to_string(status)}});
    counters_.emplace_back(status, &counter);
    counter.add();
  }

 private:
  MetricsRegistry& registry_;
  std::string handler_;
  Histogram& duration_;
  std::mutex mutex_;
  std::vector<std::pair<int, Counter*>> counters_;
};

}  // namespace pipit
