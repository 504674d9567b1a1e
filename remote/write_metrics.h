#pragma once

#include <string>

#include "config/remote_config.h"
#include "telemetry/metrics.h"

namespace pipit {

/// What an endpoint of remote write counts, under Prometheus's names, so that dashboards and alerts work.
struct WriteMetrics {
  WriteMetrics(MetricsRegistry& registry, const std::string& name, const std::string& url);

  Counter& samples;
  Counter& exemplars;
  Counter& metadata;
  Counter& failed_samples;
  Counter& failed_exemplars;
  Counter& failed_metadata;
  Counter& retried_samples;
  Counter& retried_exemplars;
  Counter& retried_metadata;
  Counter& too_old;         ///< dropped
  Counter& dropped_series;  ///< by relabelling
  Counter& unintended;      ///< dropped as the series or the queue's segment is gone
  Counter& bytes;
  Counter& metadata_bytes;
  Gauge& pending_samples;
  Gauge& pending_exemplars;
  Gauge& shards;
  Gauge& desired_shards;
  Gauge& max_shards;
  Gauge& min_shards;
  Gauge& shard_capacity;
  Gauge& max_samples_per_send;
  Gauge& highest_sent;
  Gauge& behind_segments;  ///< of the queue
  Histogram& batch_seconds;
};

}  // namespace pipit
