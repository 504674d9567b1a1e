#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "api/http_message.h"
#include "api/server.h"

namespace pipit {

// Handlers of /api/v1 about the server itself. All are thread-safe.

/// `own_url` is how others reach the server, `own_port` where it listens: local targets are shown by it.
HttpResponse handle_targets(const ServerContext& context, const HttpRequest& request, std::string_view own_url,
                            int own_port);
HttpResponse handle_scrape_pools(const ServerContext& context);
HttpResponse handle_build_info(const ServerOptions& options);
HttpResponse handle_config(const ServerContext& context);
HttpResponse handle_flags(const ServerContext& context);
/// How far the log is replayed, in segments: all or nothing here.
HttpResponse handle_replay_status(bool ready);
HttpResponse handle_runtime_info(const ServerContext& context, TimestampMs start_time);

/// Answers status/tsdb. Counting a million series takes a second, so an answer is given again until ten times as long
/// as it took has passed. Thread-safe.
class TsdbStatus {
 public:
  HttpResponse handle(const ServerContext& context, const HttpRequest& request);

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point good_until_{};
  std::size_t limit_ = 0;
  Cardinality counts_;
};

/// A scrape URL as others can reach it: of a target on this machine's loopback, the host becomes that of `own_url`.
std::string global_url(std::string_view scrape_url, std::string_view own_url, int own_port);

}  // namespace pipit
