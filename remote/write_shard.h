#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/remote_config.h"
#include "remote/write_message.h"
#include "remote/write_metrics.h"
#include "scrape/http_client.h"

namespace pipit {

/// How an endpoint's requests are made.
struct WriteRequestSettings {
  const RemoteWriteConfig& config;
  HttpUrl url;
  std::shared_ptr<HttpAccess> access;
  std::string user_agent;
  RemoteWriteProtocol protocol;  ///< as configured, until the receiver says that it can't read it

  /// A request with a message of the protocol, compressed.
  void prepare(FetchRequest& request, RemoteWriteProtocol message_protocol, const std::string& message) const;
};

/// What an answer to a request means.
enum class Delivery { done, again, refused, other_protocol };
Delivery judge_answer(const FetchResult& result, const RemoteWriteConfig& config, RemoteWriteProtocol protocol);
/// Why a request failed, with the beginning of what the receiver said.
std::string describe_failure(const FetchResult& result);

/// Waits that grow with each failure in a row.
class Backoff {
 public:
  explicit Backoff(const RemoteWriteConfig& config) : config_(config) {}
  /// How long to wait after one more failure, whose answer asked for `retry_after`.
  DurationMs next(DurationMs retry_after);
  void reset() { last_ = 0; }

 private:
  const RemoteWriteConfig& config_;
  DurationMs last_ = 0;
};

/// One of an endpoint's connections with the batch that it delivers. Of the sending thread.
class WriteShard : public std::enable_shared_from_this<WriteShard> {
 public:
  /// All must outlive the shard's use of them, which `stop` ends.
  WriteShard(boost::asio::io_context& io, HttpClient& client, WriteRequestSettings& settings, WriteMetrics& metrics,
             const MetadataLookup& metadata);

  std::vector<OutgoingSample>& samples() { return samples_; }
  std::vector<OutgoingExemplar>& exemplars() { return exemplars_; }
  bool empty() const { return samples_.empty() && exemplars_.empty(); }

  /// Delivers the batch, however long it takes, and empties it. `failed` is called after each attempt that will be
  /// repeated.
  void send(std::function<void()> delivered, std::function<void()> failed);
  void stop();

 private:
  void attempt();
  void answered(FetchResult result);
  void count(Counter& samples, Counter& exemplars) const;

  HttpClient& client_;
  WriteRequestSettings& settings_;
  WriteMetrics& metrics_;
  const MetadataLookup& metadata_;
  std::shared_ptr<HttpFetcher> fetcher_;
  boost::asio::steady_timer timer_;
  Backoff backoff_;
  FetchRequest request_;
  std::chrono::steady_clock::time_point started_;
  std::vector<OutgoingSample> samples_;
  std::vector<OutgoingExemplar> exemplars_;
  std::function<void()> delivered_;
  std::function<void()> failed_;
  bool complaining_ = false;  ///< the log knows that attempts fail
};

}  // namespace pipit
