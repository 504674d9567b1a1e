#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/metadata.h"

namespace pipit {

/// Pipit's own metrics, for its /metrics page. All of them are thread-safe and cheap: an update is one
/// relaxed atomic operation.
class Counter {
 public:
  void add(double n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge {
 public:
  void set(double v) { value_.store(v, std::memory_order_relaxed); }
  void add(double n) { value_.fetch_add(n, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// A classic histogram with fixed upper bounds (ascending, +Inf implied).
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double v);

 private:
  friend class MetricsRegistry;
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;  // one more than bounds_
  std::atomic<double> sum_{0};
};

/// Owns the metrics and renders them as text format 0.0.4. A metric lives as long as the registry; asking
/// again for the same name and labels gives the same object. The help and type of a name's first
/// registration count. Thread-safe.
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();

  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                       const Labels& labels = {});
  /// A value that is computed when the page is asked for. `read` must stay callable until `remove_callbacks(owner)`.
  void callback(const void* owner, MetricType type, std::string_view name, std::string_view help,
                std::function<double()> read, const Labels& labels = {});
  /// Call before whatever the owner's callbacks read is destroyed.
  void remove_callbacks(const void* owner);

  std::string render() const;

 private:
  struct Family;
  Family& family(std::string_view name, std::string_view help, MetricType type);
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_;
};

/// Adds `process_*` metrics (CPU, resident memory, file descriptors, start time), read from /proc when asked for.
void register_process_metrics(MetricsRegistry& registry);

}  // namespace pipit
