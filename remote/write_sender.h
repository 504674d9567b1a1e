#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/remote_config.h"
#include "model/labels.h"
#include "model/result.h"
#include "storage/exemplar_store.h"
#include "storage/store.h"

namespace pipit {

class MetricsRegistry;

struct WriteSenderOptions {
  std::filesystem::path path;  ///< the folder of the queue; there only while something is configured
  std::string user_agent = "Pipit";
  std::uint64_t max_bytes = 1u << 30;    ///< of the queue's files; beyond it the oldest samples are given up
  DurationMs max_age = 24LL * 3600'000;  ///< of samples in the queue; 0 is no limit
  DurationMs flush_deadline = 60'000;    ///< how long `stop` may take to send what waits
  DurationMs sync_interval = 2'000;      ///< as of the store's log
};

/// Sends what the store takes to the endpoints of `remote_write`. One thread, which is there while there are endpoints.
/// docs/remote-write.md. Thread-safe.
class RemoteWriteSender {
 public:
  /// All must outlive the sender.
  RemoteWriteSender(Store& store, ExemplarStore& exemplars, MetricsRegistry& metrics, WriteSenderOptions options);
  ~RemoteWriteSender();  ///< stops without sending anything more

  /// Makes the endpoints those of the configuration. An endpoint that stays as it is goes on; one whose entry changes
  /// goes on where it was, by its name or its URL; what only an endpoint that is gone had still to get is forgotten.
  /// Errors: the queue can't be opened, or an endpoint's URL is none; the other endpoints run.
  Status apply(const std::vector<RemoteWriteConfig>& configs, const Labels& external_labels);
  /// Sends what is there, for `flush_deadline` at most, unless the receiver fails. The rest is sent after a restart.
  /// Call when nothing is appended any more and before the store is closed.
  void stop();

 private:
  class Running;

  Store& store_;
  ExemplarStore& exemplars_;
  MetricsRegistry& metrics_;
  const WriteSenderOptions options_;
  std::mutex mutex_;
  std::unique_ptr<Running> running_;
};

}  // namespace pipit
