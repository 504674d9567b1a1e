#include "scrape/discovery.h"

#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {

std::shared_ptr<Discovery> make_discovery(const DiscoveryConfig& config, DiscoveryContext& context) {
  if (const auto* file = std::get_if<FileDiscoveryConfig>(&config)) return make_file_discovery(*file, context);
  if (const auto* http = std::get_if<HttpDiscoveryConfig>(&config)) return make_http_discovery(*http, context);
  if (const auto* dns = std::get_if<DnsDiscoveryConfig>(&config)) return make_dns_discovery(*dns, context);
  return make_docker_discovery(std::get<DockerDiscoveryConfig>(config), context);
}

RefreshReport::RefreshReport(MetricsRegistry& metrics, std::string mechanism, std::string source)
    : metrics_(metrics), mechanism_(std::move(mechanism)), source_(std::move(source)) {
  metrics_.counter("pipit_sd_refresh_failures_total", "Refreshes of discovery that failed.",
                   {{"mechanism", mechanism_}});
}

void RefreshReport::succeeded() {
  metrics_.counter("pipit_sd_refreshes_total", "Refreshes of discovery.", {{"mechanism", mechanism_}}).add();
  if (!last_fault_.empty()) log_info("Discovery works again", {{"mechanism", mechanism_}, {"source", source_}});
  last_fault_.clear();
}

void RefreshReport::failed(const std::string& why) {
  metrics_.counter("pipit_sd_refreshes_total", "Refreshes of discovery.", {{"mechanism", mechanism_}}).add();
  metrics_
      .counter("pipit_sd_refresh_failures_total", "Refreshes of discovery that failed.", {{"mechanism", mechanism_}})
      .add();
  if (why == last_fault_) return;
  last_fault_ = why;
  log_warn("Discovery failed, the targets stay as they were",
           {{"mechanism", mechanism_}, {"source", source_}, {"err", why}});
}

}  // namespace pipit
