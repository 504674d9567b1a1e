#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "model/labels.h"
#include "storage/appender.h"

namespace pipit {

class ExemplarStore;
class MetricsRegistry;
class SeriesCache;

enum class TargetHealth { unknown, up, down };

/// What the API and the page show of a target; a copy.
struct TargetStatus {
  Labels discovered_labels;
  Labels labels;
  std::string scrape_pool;  ///< the job's name
  std::string scrape_url;
  std::string last_error;
  std::string last_warning;         ///< what was wrong with a page that was stored all the same
  TimestampMs last_scrape = 0;      ///< 0: never
  double last_scrape_duration = 0;  ///< seconds
  TargetHealth health = TargetHealth::unknown;
  DurationMs scrape_interval = 0;
  DurationMs scrape_timeout = 0;
};

struct DroppedTarget {
  Labels discovered_labels;
  std::string scrape_pool;
};

struct ScrapeOptions {
  /// Bound on an uncompressed page where `body_size_limit` is not set, in bytes.
  std::uint64_t default_body_size_limit = 64u << 20;
  std::string user_agent = "Pipit";
  ExemplarStore* exemplars = nullptr;  ///< must outlive the manager; null: exemplars are not stored
};

/// Scrapes the targets of a configuration on schedule and appends what they say. It runs one thread of its
/// own for all targets: requests are asynchronous, so that slow and dead targets delay nobody.
/// Thread-safe.
class ScrapeManager {
 public:
  /// `appender` and `metrics` must outlive the manager.
  ScrapeManager(Appender& appender, MetricsRegistry& metrics, ScrapeOptions options = {});
  ~ScrapeManager();  ///< stops

  /// Makes the running targets those of `config`: new ones start, unchanged ones keep their schedule and
  /// series, vanished ones end with stale markers.
  void apply(const Config& config);
  /// Ends scraping; requests in flight are dropped. No stale markers: the series go on after a restart.
  void stop();

  std::vector<TargetStatus> active_targets() const;
  /// Of each job, `keep_dropped_targets` at most.
  std::vector<DroppedTarget> dropped_targets() const;
  /// By job, with those that are not kept.
  std::map<std::string, std::size_t> dropped_target_counts() const;
  std::vector<std::string> scrape_pools() const;
  /// The job of that name as configured; null when there is none.
  std::shared_ptr<const ScrapeConfig> pool_config(std::string_view name) const;

  /// Is given a target's labels and the page that it served last; false ends the visit.
  using PageVisitor = std::function<bool(const Labels& target, const SeriesCache& page)>;
  /// Visits all active targets but those whose large page is just being written, a few at a time on the thread that
  /// scrapes, so that others wait for milliseconds only.
  void visit_pages(const PageVisitor& visit) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pipit
