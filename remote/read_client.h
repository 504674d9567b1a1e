#pragma once

#include <atomic>
#include <span>
#include <string>
#include <vector>

#include "config/remote_config.h"
#include "model/matcher.h"
#include "model/result.h"
#include "remote/read_message.h"
#include "telemetry/metrics.h"

namespace pipit {

/// Asks one database by remote read. Thread-safe.
class ReadClient {
 public:
  ReadClient(RemoteReadConfig config, MetricsRegistry& metrics, std::string user_agent);

  const RemoteReadConfig& config() const { return config_; }

  /// The series that the matchers select, with samples between the times, both included. It waits for the answer, for
  /// `remote_timeout` at most, on the calling thread. Errors name the URL.
  Result<std::vector<RemoteSeries>> read(std::span<const Matcher> matchers, TimestampMs start, TimestampMs end,
                                         const std::atomic<bool>* canceled) const;

 private:
  Result<std::vector<RemoteSeries>> ask(const std::string& body, TimestampMs start, TimestampMs end,
                                        const std::atomic<bool>* canceled) const;

  const RemoteReadConfig config_;
  const std::string user_agent_;
  Counter& reads_;
  Counter& failures_;
  Gauge& running_;
};

}  // namespace pipit
