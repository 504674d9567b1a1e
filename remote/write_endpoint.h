#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "config/remote_config.h"
#include "model/labels.h"
#include "model/result.h"
#include "remote/write_queue.h"
#include "storage/store.h"

namespace boost::asio {
class io_context;
}

namespace pipit {

class HttpClient;
class MetricsRegistry;

/// What all endpoints of remote write share. Of the sending thread, but for the store, the queue and the metrics.
struct EndpointContext {
  boost::asio::io_context& io;
  HttpClient& client;
  const Store& store;
  WriteQueue& queue;
  MetricsRegistry& metrics;
  std::string user_agent;
};

/// Sends the queue to one receiver.
///
/// It reads a window of the queue, at most what fills one batch of a shard, spreads it over shards by series, and sends
/// the batches at the same time, each over a connection of its own. When all are delivered, or refused for good, the
/// next window begins: the samples of a series never overtake each other. The cursor says which window is on its way,
/// so that a restart makes the same batches again, of which the receiver has either all or nothing.
///
/// All calls are on the sending thread.
class WriteEndpoint {
 public:
  /// Errors: the URL, or the cursor's file.
  static Result<std::shared_ptr<WriteEndpoint>> make(EndpointContext& context, const RemoteWriteConfig& config,
                                                     const Labels& external_labels, const std::string& name,
                                                     const std::filesystem::path& cursor);
  virtual ~WriteEndpoint() = default;

  virtual void start() = 0;
  /// The queue has grown.
  virtual void wake() = 0;
  /// Sends what the queue has now, without waiting for full batches, and calls `done` when that is delivered or can't
  /// be delivered at once.
  virtual void flush(std::function<void()> done) = 0;
  /// Ends all of it; what was not delivered stays in the queue.
  virtual void stop() = 0;

  /// The oldest segment that it needs.
  virtual std::uint64_t needed_segment() const = 0;
  /// Gives up a segment that is about to be removed, and all before it.
  virtual void give_up_segment(std::uint64_t segment) = 0;
  /// Forces to the disk how far it is.
  virtual void sync() = 0;
};

}  // namespace pipit
