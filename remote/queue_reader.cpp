#include "remote/queue_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "remote/queue_format.h"
#include "telemetry/log.h"

namespace pipit {

QueueReader::~QueueReader() {
  if (fd_ >= 0) ::close(fd_);
}

void QueueReader::seek(QueuePosition position) {
  position_ = position;
  loaded_ = false;
}

QueueReader::Item QueueReader::next() {
  for (;;) {
    if (!loaded_) {
      switch (load()) {
        case Load::end:
          return Item::end;
        case Load::end_of_segment:
          leave_segment();
          continue;
        case Load::record:
          break;
      }
    }
    const bool samples = payload_[0] != kExemplarRecord;
    const std::size_t count = samples ? record_.count() : 1;
    if (position_.item >= count) {  // an empty record, or a place in one that is no longer there
      position_ = {position_.segment, next_offset_, 0};
      loaded_ = false;
      continue;
    }
    if (samples) {
      const std::size_t i = position_.item;
      sample_.series = record_.ids()[i];
      sample_.time = record_.time(i);
      if (!record_.next_value({}, sample_.value)) {
        log_error("A record of the queue of remote write is damaged; the rest of its segment is not sent",
                  {{"file", queue_.segment_path(position_.segment).string()}, {"offset", position_.offset}});
        leave_segment();
        continue;
      }
    }
    if (++position_.item == count) {
      position_ = {position_.segment, next_offset_, 0};
      loaded_ = false;
    }
    return samples ? Item::sample : Item::exemplar;
  }
}

void QueueReader::leave_segment() { seek({position_.segment + 1, 0, 0}); }

bool QueueReader::open_segment() {
  if (fd_ >= 0 && fd_segment_ == position_.segment) return true;
  if (fd_ >= 0) ::close(fd_);
  fd_ = ::open(queue_.segment_path(position_.segment).c_str(), O_RDONLY | O_CLOEXEC);
  fd_segment_ = position_.segment;
  return fd_ >= 0;
}

QueueReader::Load QueueReader::load() {
  const QueuePosition end = queue_.end();
  if (position_.segment < queue_.first_segment()) seek({queue_.first_segment(), 0, 0});
  if (position_.segment > end.segment) return Load::end;
  const bool newest = position_.segment == end.segment;
  if (position_.offset == 0) position_.offset = kSegmentMagic.size();
  if (newest && position_.offset >= end.offset) return Load::end;
  if (!open_segment()) return newest ? Load::end : Load::end_of_segment;

  std::uint32_t header[2];
  static_assert(sizeof header == kFrameHeader && std::endian::native == std::endian::little);
  if (::pread(fd_, header, sizeof header, static_cast<off_t>(position_.offset)) !=
      static_cast<ssize_t>(sizeof header)) {
    return newest ? Load::end : Load::end_of_segment;
  }
  const auto damaged = [&] {
    log_error("A record of the queue of remote write is damaged; the rest of its segment is not sent",
              {{"file", queue_.segment_path(position_.segment).string()}, {"offset", position_.offset}});
    return Load::end_of_segment;
  };
  if (header[0] == 0 && header[1] == 0) return Load::end_of_segment;  // what a power failure leaves of a file's end
  if (header[0] == 0 || header[0] > kLargestRecord) return damaged();
  // The file's end bounds what is taken for a length.
  const off_t size = ::lseek(fd_, 0, SEEK_END);
  if (size < 0 || static_cast<std::uint64_t>(size) < position_.offset + kFrameHeader + header[0]) {
    return newest ? Load::end : Load::end_of_segment;
  }
  payload_.resize(header[0]);
  if (::pread(fd_, payload_.data(), payload_.size(), static_cast<off_t>(position_.offset + kFrameHeader)) !=
      static_cast<ssize_t>(payload_.size())) {
    return Load::end_of_segment;
  }
  if (queue_checksum(payload_) != header[1]) return damaged();
  next_offset_ = position_.offset + kFrameHeader + payload_.size();
  if (payload_[0] == kExemplarRecord ? !take_exemplar() : !record_.open(payload_).ok()) return damaged();
  loaded_ = true;
  double skipped;
  for (std::uint32_t i = 0; payload_[0] != kExemplarRecord && i < position_.item && i < record_.count(); ++i) {
    if (!record_.next_value({}, skipped)) return damaged();
  }
  return Load::record;
}

bool QueueReader::take_exemplar() {
  ByteReader reader(std::string_view(payload_).substr(1));
  std::uint64_t bits;
  std::uint64_t time;
  if (!reader.text(exemplar_.series) || !reader.text(exemplar_.labels) || !reader.fixed64(bits) ||
      !reader.varint(time) || !reader.done()) {
    return false;
  }
  exemplar_.value = std::bit_cast<double>(bits);
  exemplar_.time = static_cast<TimestampMs>(unzigzag(time));
  return true;
}

std::uint64_t QueueReader::count_rest_of_segment() const {
  QueueReader rest(queue_, position_);
  std::uint64_t samples = 0;
  while (rest.position_.segment == position_.segment) {
    const Item item = rest.next();
    if (item == Item::end) break;
    // Behind the segment's last record stands its end, or the first item of the next segment.
    if (rest.position_.segment == position_.segment && item == Item::sample) ++samples;
  }
  return samples;
}

}  // namespace pipit
