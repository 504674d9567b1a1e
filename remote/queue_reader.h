#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/sample.h"
#include "remote/write_queue.h"
#include "storage/log_record.h"

namespace pipit {

/// Reads the queue item by item. For one thread; the queue may be written meanwhile and must outlive the reader.
class QueueReader {
 public:
  enum class Item { sample, exemplar, end };

  struct Sample {
    SeriesId series = 0;
    TimestampMs time = 0;
    double value = 0;
  };
  /// Labels as `encode_labels` writes them. The views live until the next call of next().
  struct ExemplarView {
    std::string_view series;
    std::string_view labels;
    double value = 0;
    TimestampMs time = 0;
  };

  QueueReader(const WriteQueue& queue, QueuePosition from) : queue_(queue), position_(from) {}
  ~QueueReader();
  QueueReader(const QueueReader&) = delete;
  QueueReader& operator=(const QueueReader&) = delete;

  /// Takes the next item. At the end more may come later. Records that are damaged are passed over, with the rest of
  /// their segment, and logged; half a record at a segment's end is what a crash leaves, and no damage.
  Item next();
  const Sample& sample() const { return sample_; }
  const ExemplarView& exemplar() const { return exemplar_; }
  /// The place behind the item.
  QueuePosition position() const { return position_; }
  void seek(QueuePosition position);

  /// The samples between the place and the end of its segment.
  std::uint64_t count_rest_of_segment() const;

 private:
  enum class Load { record, end_of_segment, end };

  Load load();
  bool open_segment();
  void leave_segment();
  bool take_exemplar();

  const WriteQueue& queue_;
  QueuePosition position_;
  int fd_ = -1;
  std::uint64_t fd_segment_ = 0;
  std::string payload_;
  std::uint64_t next_offset_ = 0;  ///< behind the loaded record
  bool loaded_ = false;
  LogRecordReader record_;
  Sample sample_;
  ExemplarView exemplar_;
};

}  // namespace pipit
