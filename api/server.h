#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/listener.h"
#include "api/remote_read_limits.h"
#include "api/remote_write_versions.h"
#include "model/result.h"
#include "query/engine.h"
#include "scrape/scrape_manager.h"
#include "storage/appender.h"
#include "storage/queryable.h"
#include "storage/store.h"
#include "telemetry/metrics.h"

namespace pipit {

class AlertSender;
class Delivery;
class ExemplarStore;
class RuleManager;
class WebSecurity;

struct ServerOptions {
  std::vector<std::string> listen_addresses = {"0.0.0.0:9090"};  ///< HOST:PORT; port 0 takes a free one
  std::string external_url;                                      ///< --web.external-url
  std::string route_prefix;                                      ///< --web.route-prefix, "" or "/x"
  std::string page_title = "Pipit";
  std::string version = "unknown";  ///< Pipit's own, for status/buildinfo and the pages
  std::string cors_origin = ".*";
  DurationMs read_timeout = DurationMs{5} * 60'000;
  unsigned max_connections = 512;
  DurationMs lookback_delta = DurationMs{5} * 60'000;  ///< how old a sample /federate shows
  RemoteReadLimits remote_read;
  bool enable_lifecycle = false;             ///< /-/reload and /-/quit
  std::vector<std::string> heartbeat_names;  ///< of /-/heartbeat/NAME
  bool enable_admin_api = false;             ///< /api/v1/admin/tsdb; needs ServerContext::store
  RemoteWriteVersions remote_write_versions;
  bool enable_remote_write_receiver = false;  ///< /api/v1/write; needs ServerContext::appender
};

/// How the last loading of the configuration went.
struct ReloadState {
  bool success = true;
  TimestampMs time = 0;
};

/// What the handlers answer from. All of it must outlive the server.
struct ServerContext {
  const Engine& engine;
  const Queryable& source;
  Store* store;                   ///< for status/tsdb and the admin API; may be null in tests
  const ScrapeManager* scraping;  ///< may be null in tests
  MetricsRegistry& metrics;
  std::function<std::string()> config_text;                ///< redacted
  std::vector<std::pair<std::string, std::string>> flags;  ///< of status/flags
  std::function<Status()> reload;
  /// Asks the program to end; it must not stop the server itself, as the request still runs.
  std::function<void()> quit;
  std::function<ReloadState()> reload_state = nullptr;  ///< for runtimeinfo; may be empty
  std::function<Labels()> external_labels = nullptr;    ///< of the configuration, for /federate; may be empty
  WebSecurity* security = nullptr;                      ///< null: everybody may, in plain HTTP
  ExemplarStore* exemplars = nullptr;                   ///< of query_exemplars and remote write; may be null
  Appender* appender = nullptr;                         ///< what remote write stores into; may be null without it
  const RuleManager* rules = nullptr;                   ///< null: there are none
  const AlertSender* alerts = nullptr;                  ///< who is told of alerts; null: nobody
  Delivery* delivery = nullptr;                         ///< what tells people itself; null: nothing does
  std::string delivery_url{};                           ///< under which others reach it
};

/// The HTTP server: Prometheus's API under /api/v1, the plain pages, /metrics and /-/*.
///
/// Connections that are idle or slow hold no worker thread. Thread-safe.
class Server {
 public:
  Server(ServerOptions options, ServerContext context);
  ~Server();  ///< stops

  /// Binds and starts serving. Errors: unavailable with address and reason, such as a port in use.
  Status start();
  /// The same on sockets that the caller bound before, to have the ports while the rest was still starting.
  Status start(std::vector<Listener> listeners);
  /// Says "ready" on /-/ready from now on; 503 before.
  void set_ready();
  /// Stops accepting, lets running requests finish (at most a second), closes the rest.
  void stop();
  /// The ports in use, in the order of `listen_addresses`.
  std::vector<int> ports() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pipit
