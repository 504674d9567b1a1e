#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

#include "remote/write_shard.h"
#include "storage/store.h"

namespace pipit {

/// Sends what is known of metrics every `metadata_config.send_interval`, in messages of version 1 of the protocol.
/// Messages of version 2 have it beside the samples. Of the sending thread.
class MetadataSender : public std::enable_shared_from_this<MetadataSender> {
 public:
  /// All must outlive its use of them, which `stop` ends.
  MetadataSender(boost::asio::io_context& io, HttpClient& client, WriteRequestSettings& settings, WriteMetrics& metrics,
                 const Store& store);

  void start();
  void stop();

 private:
  void wait();
  void begin();
  void send_next();
  void answered(FetchResult result);

  static constexpr int kMostAttempts = 3;

  HttpClient& client_;
  WriteRequestSettings& settings_;
  WriteMetrics& metrics_;
  const Store& store_;
  std::shared_ptr<HttpFetcher> fetcher_;
  boost::asio::steady_timer timer_;
  Backoff backoff_;
  FetchRequest request_;
  std::vector<MetricMetadata> entries_;
  std::size_t next_ = 0;
  std::size_t sending_ = 0;
  int attempts_ = 0;
};

}  // namespace pipit
