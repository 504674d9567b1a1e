#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rules/alert.h"
#include "scrape/http_client.h"
#include "telemetry/metrics.h"

namespace pipit {

/// One Alertmanager and what it has still to be told. `add` may be called by any thread, everything else on that of the
/// io_context.
class AlertmanagerQueue : public std::enable_shared_from_this<AlertmanagerQueue> {
 public:
  struct Settings {
    HttpUrl url;
    std::shared_ptr<HttpAccess> access;
    std::chrono::milliseconds timeout{10'000};
    std::string user_agent;
    std::size_t capacity = 10'000;
    std::size_t batch_size = 256;
  };
  /// All must outlive the queue, and `io` run no more when it goes.
  AlertmanagerQueue(boost::asio::io_context& io, HttpClient& client, MetricsRegistry& metrics, Settings settings);
  ~AlertmanagerQueue();

  /// Puts alerts into the queue, each in place of what was to be told of it. When the queue is full the oldest go.
  void add(const std::vector<std::shared_ptr<const AlertNotice>>& notices);
  /// There may be something to send.
  void wake();
  /// Tries what waits once more, now, and calls `done` when nothing is left or an attempt fails.
  void flush(std::function<void()> done);
  void stop();
  const std::string& url() const { return settings_.url.text; }

 private:
  using Notices = std::vector<std::shared_ptr<const AlertNotice>>;

  void register_metrics();
  Notices take_batch();
  void send();
  void answered(FetchResult result);
  void end_flush();

  HttpClient& client_;
  const Settings settings_;
  std::shared_ptr<HttpFetcher> fetcher_;
  boost::asio::steady_timer timer_;
  MetricsRegistry& metrics_;
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> length_{0};
  std::atomic<std::uint64_t> held_{0};  ///< alerts of the batch that is to be sent again
  Histogram& latency_;

  std::mutex mutex_;
  std::uint64_t next_number_ = 0;
  std::map<std::uint64_t, std::shared_ptr<const AlertNotice>> waiting_;  ///< by when it came
  std::map<Labels, std::uint64_t> numbers_;                              ///< of what waits

  Notices batch_;  ///< on its way, or to be sent again
  FetchRequest request_;
  std::chrono::steady_clock::time_point began_;
  std::chrono::milliseconds backoff_{0};
  bool busy_ = false;     ///< a request is on its way
  bool holding_ = false;  ///< until the timer ends
  bool complaining_ = false;
  bool stopped_ = false;
  std::function<void()> flushed_;
};

/// The body of API v2.
std::string alerts_body(const std::vector<std::shared_ptr<const AlertNotice>>& notices);

}  // namespace pipit
