// Source of names and labels: Prometheus 3.14, storage/remote/queue_manager.go.

#include "remote/write_metrics.h"

namespace pipit {
namespace {

Labels of(const std::string& name, const std::string& url) { return {{"remote_name", name}, {"url", url}}; }

Counter& dropped(MetricsRegistry& registry, const std::string& name, const std::string& url, const char* reason) {
  Labels labels = of(name, url);
  labels.set("reason", reason);
  return registry.counter("prometheus_remote_storage_samples_dropped_total",
                          "Samples that were read from the queue and not sent.", labels);
}

}  // namespace

WriteMetrics::WriteMetrics(MetricsRegistry& registry, const std::string& name, const std::string& url)
    : samples(registry.counter("prometheus_remote_storage_samples_total", "Samples that were sent.", of(name, url))),
      exemplars(
          registry.counter("prometheus_remote_storage_exemplars_total", "Exemplars that were sent.", of(name, url))),
      metadata(registry.counter("prometheus_remote_storage_metadata_total", "Entries of metadata that were sent.",
                                of(name, url))),
      failed_samples(registry.counter("prometheus_remote_storage_samples_failed_total",
                                      "Samples that the receiver refused for good.", of(name, url))),
      failed_exemplars(registry.counter("prometheus_remote_storage_exemplars_failed_total",
                                        "Exemplars that the receiver refused for good.", of(name, url))),
      failed_metadata(registry.counter("prometheus_remote_storage_metadata_failed_total",
                                       "Entries of metadata that could not be sent.", of(name, url))),
      retried_samples(registry.counter("prometheus_remote_storage_samples_retried_total",
                                       "Samples that were sent again after an error.", of(name, url))),
      retried_exemplars(registry.counter("prometheus_remote_storage_exemplars_retried_total",
                                         "Exemplars that were sent again after an error.", of(name, url))),
      retried_metadata(registry.counter("prometheus_remote_storage_metadata_retried_total",
                                        "Entries of metadata that were sent again after an error.", of(name, url))),
      too_old(dropped(registry, name, url, "too_old")),
      dropped_series(dropped(registry, name, url, "dropped_series")),
      unintended(dropped(registry, name, url, "unintentional_dropped_series")),
      bytes(registry.counter("prometheus_remote_storage_bytes_total", "Bytes of data that were sent, compressed.",
                             of(name, url))),
      metadata_bytes(registry.counter("prometheus_remote_storage_metadata_bytes_total",
                                      "Bytes of metadata that were sent, compressed.", of(name, url))),
      pending_samples(registry.gauge("prometheus_remote_storage_samples_pending",
                                     "Samples of batches that are being collected or sent.", of(name, url))),
      pending_exemplars(registry.gauge("prometheus_remote_storage_exemplars_pending",
                                       "Exemplars of batches that are being collected or sent.", of(name, url))),
      shards(registry.gauge("prometheus_remote_storage_shards", "Connections over which samples are sent.",
                            of(name, url))),
      desired_shards(registry.gauge("prometheus_remote_storage_shards_desired", "Connections that what waits asks for.",
                                    of(name, url))),
      max_shards(
          registry.gauge("prometheus_remote_storage_shards_max", "The most shards there may be.", of(name, url))),
      min_shards(
          registry.gauge("prometheus_remote_storage_shards_min", "The fewest shards there may be.", of(name, url))),
      shard_capacity(
          registry.gauge("prometheus_remote_storage_shard_capacity", "Samples in RAM a shard.", of(name, url))),
      max_samples_per_send(registry.gauge("prometheus_remote_storage_max_samples_per_send",
                                          "Samples in one request, at most.", of(name, url))),
      highest_sent(registry.gauge("prometheus_remote_storage_queue_highest_sent_timestamp_seconds",
                                  "The highest timestamp that was delivered.", of(name, url))),
      behind_segments(registry.gauge("pipit_remote_write_queue_segments_behind",
                                     "Segments of the queue that this endpoint still needs, beside the newest.",
                                     of(name, url))),
      batch_seconds(
          registry.histogram("prometheus_remote_storage_sent_batch_duration_seconds", "How long requests took.",
                             {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 60, 120, 300}, of(name, url))) {}

}  // namespace pipit
