#include "scrape/scrape_metrics.h"

namespace pipit {

ScrapeMetrics::ScrapeMetrics(MetricsRegistry& registry)
    : succeeded(registry.counter("pipit_scrapes_total", "Scrapes that ended, by result.", {{"result", "success"}})),
      failed(registry.counter("pipit_scrapes_total", "Scrapes that ended, by result.", {{"result", "failure"}})),
      missed(registry.counter("pipit_scrapes_missed_total",
                              "Scrapes that were skipped because the one before was still running.")),
      body_bytes(registry.counter("pipit_scrape_body_bytes_total", "Bytes of pages as they came over the network.")),
      samples(registry.counter("pipit_scrape_samples_total", "Samples that scraped pages held.")),
      duplicates(registry.counter("pipit_scrape_samples_duplicate_timestamp_total",
                                  "Samples refused because their series has another value at that time.")),
      out_of_order(registry.counter("pipit_scrape_samples_out_of_order_total",
                                    "Samples refused because their series has a newer one.")),
      too_old(registry.counter("pipit_scrape_samples_too_old_total",
                               "Samples refused because they are older than the window for late samples.")),
      out_of_bounds(registry.counter("pipit_scrape_samples_out_of_bounds_total",
                                     "Samples refused because they are beyond retention or too far in the future.")),
      sample_limit_exceeded(
          registry.counter("pipit_scrape_sample_limit_exceeded_total", "Scrapes refused because of sample_limit.")),
      faults_of_meaning(registry.counter("pipit_scrape_openmetrics_faults_total",
                                         "Faults of meaning in OpenMetrics pages that were stored all the same, "
                                         "counted when a page's lines change.")),
      syncs(registry.counter("pipit_scrape_syncs_total", "Times that a configuration's targets were put in place.")),
      cached_series(registry.gauge("pipit_scrape_cached_series", "Series whose lines the scraper remembers.")),
      cache_bytes(registry.gauge("pipit_scrape_cache_bytes", "Memory of the remembered lines that targets share.")),
      duration(registry.histogram("pipit_scrape_duration_seconds", "How long scrapes took.",
                                  {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30})) {}

}  // namespace pipit
