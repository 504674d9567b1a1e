#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "model/labels.h"
#include "model/result.h"
#include "model/sample.h"
#include "storage/commit_listener.h"
#include "storage/exemplar_store.h"
#include "storage/log_record.h"

namespace pipit {

class Counter;
class Gauge;
class MetricsRegistry;

/// A place between two items of the queue.
struct QueuePosition {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;  ///< of a record in the segment's file; 0 is the first one's, too
  std::uint32_t item = 0;    ///< items of that record that are before the place
  auto operator<=>(const QueuePosition&) const = default;
};

/// What waits to be sent, in files of its own: every sample that the store takes, once for all endpoints. An endpoint
/// reads it with a `QueueReader`. The format is in docs/remote-write.md.
///
/// A record is written with one call before the sample is acknowledged, so the death of the process costs nothing.
/// Writing never fails for the caller: what can't be written (a full disk) is counted and logged.
///
/// Thread-safe.
class WriteQueue final : public CommitListener {
 public:
  struct Options {
    std::filesystem::path path;              ///< a folder; made if missing
    std::uint64_t segment_bytes = 8u << 20;  ///< a file is not continued beyond it
    bool sync_each = false;                  ///< force every record to the disk
  };

  /// Begins a new segment behind those that are there.
  static Result<std::unique_ptr<WriteQueue>> open(Options options, MetricsRegistry& metrics);
  ~WriteQueue() override;

  void committing(const CommittedSamples& samples) override;
  void add_exemplar(const Labels& series, const Exemplar& exemplar);

  /// Everything before it can be read.
  QueuePosition end() const;
  /// Of the oldest segment that is there.
  std::uint64_t first_segment() const;
  std::filesystem::path segment_path(std::uint64_t segment) const;

  /// `wake` is called, by whoever appends, once after each call of `arm`, which asks for it.
  void set_wake(std::function<void()> wake);
  void arm() { armed_.store(true); }

  /// Forces to the disk what was written.
  void sync();

  /// Removes the segments before this one.
  void release_before(std::uint64_t segment);
  /// The oldest segment that is too much, by the bytes of all or as its last record is older than `max_age`; 0 when
  /// all is within bounds. The newest segment never is.
  std::uint64_t excess_segment(std::uint64_t max_bytes, DurationMs max_age) const;
  std::uint64_t bytes() const;

 private:
  /// Not that of the wall: when it jumps a day ahead, nothing has become older.
  using Clock = std::chrono::steady_clock;
  struct Segment {
    std::uint64_t bytes = 0;
    Clock::time_point last_write;
  };

  WriteQueue(Options options, MetricsRegistry& metrics);
  Status start();
  Status open_segment();
  bool write(std::string_view payload);
  bool write_frame(std::string_view payload);

  const Options options_;
  Counter& samples_in_;
  Counter& exemplars_in_;
  Counter& lost_;
  Gauge& newest_;
  Gauge& bytes_gauge_;

  mutable std::mutex mutex_;
  std::function<void()> wake_;
  std::atomic<bool> armed_{false};
  std::map<std::uint64_t, Segment> segments_;  ///< by number; the last is written
  int fd_ = -1;
  bool dirty_ = false;
  bool failing_ = false;
  LogRecordWriter record_;
  std::string exemplar_;
  TimestampMs newest_time_ = kMinTimestamp;
};

}  // namespace pipit
