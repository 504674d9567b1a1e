#pragma once

#include "telemetry/metrics.h"

namespace pipit {

/// What the scraper tells of itself on /metrics.
struct ScrapeMetrics {
  explicit ScrapeMetrics(MetricsRegistry& registry);

  Counter& succeeded;
  Counter& failed;
  Counter& missed;
  Counter& body_bytes;
  Counter& samples;
  Counter& duplicates;
  Counter& out_of_order;
  Counter& too_old;
  Counter& out_of_bounds;
  Counter& sample_limit_exceeded;
  Counter& faults_of_meaning;
  Counter& syncs;
  Gauge& cached_series;
  Gauge& cache_bytes;
  Histogram& duration;
};

}  // namespace pipit
