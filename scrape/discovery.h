#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/discovery_config.h"
#include "scrape/blocking_calls.h"
#include "scrape/http_client.h"

namespace boost::asio {
class io_context;
}

namespace pipit {

class MetricsRegistry;

/// What all discoveries share; of the discovery thread.
struct DiscoveryContext {
  boost::asio::io_context& io;
  HttpClient& client;
  BlockingCalls& calls;
  MetricsRegistry& metrics;
  std::string user_agent;
};

/// One `*_sd_configs` entry at work. All calls are on the discovery thread, which must not be blocked.
///
/// A new kind needs its configuration in config/discovery_config.h, a class of this interface and a line in
/// `make_discovery`.
class Discovery {
 public:
  /// Gets all groups that are known now, the whole list each time.
  using Update = std::function<void(std::vector<TargetGroup>)>;

  virtual ~Discovery() = default;
  /// Begins to look, and calls `update` whenever the groups may have changed. What fails is logged and counted, and
  /// leaves the groups as they were.
  virtual void start(Update update) = 0;
  /// Ends it; `update` is not called any more.
  virtual void stop() = 0;
};

std::shared_ptr<Discovery> make_discovery(const DiscoveryConfig& config, DiscoveryContext& context);

std::shared_ptr<Discovery> make_file_discovery(FileDiscoveryConfig config, DiscoveryContext& context);
std::shared_ptr<Discovery> make_http_discovery(HttpDiscoveryConfig config, DiscoveryContext& context);
std::shared_ptr<Discovery> make_dns_discovery(DnsDiscoveryConfig config, DiscoveryContext& context);
std::shared_ptr<Discovery> make_docker_discovery(DockerDiscoveryConfig config, DiscoveryContext& context);

/// Counts and logs how the refreshes of one discovery go; a fault that lasts is logged once.
class RefreshReport {
 public:
  /// `mechanism` is "file", "http", ...; `source` says which, in the log.
  RefreshReport(MetricsRegistry& metrics, std::string mechanism, std::string source);
  void succeeded();
  void failed(const std::string& why);

 private:
  MetricsRegistry& metrics_;
  std::string mechanism_;
  std::string source_;
  std::string last_fault_;
};

}  // namespace pipit
