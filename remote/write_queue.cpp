#include "remote/write_queue.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "remote/queue_format.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

constexpr std::string_view kSuffix = ".segment";
constexpr std::size_t kDigits = 12;

/// The number in a segment's name, or 0.
std::uint64_t number_of(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return 0;
  std::uint64_t number = 0;
  for (const char c : name.substr(0, kDigits)) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

Error cannot(const std::string& what, const std::filesystem::path& path, int error) {
  return {ErrorKind::unavailable, "the queue of remote write: cannot " + what + " " + path.string() + ": " +
                                      std::generic_category().message(error)};
}

void put_little_endian32(char* to, std::uint32_t value) {
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

WriteQueue::WriteQueue(Options options, MetricsRegistry& metrics)
    : options_(std::move(options)),
      samples_in_(metrics.counter("prometheus_remote_storage_samples_in_total",
                                  "Samples that came into the queue of remote write.")),
      exemplars_in_(metrics.counter("prometheus_remote_storage_exemplars_in_total",
                                    "Exemplars that came into the queue of remote write.")),
      lost_(metrics.counter("pipit_remote_write_queue_lost_samples_total",
                            "Samples that are stored but could not be written to the queue of remote write.")),
      newest_(metrics.gauge("prometheus_remote_storage_highest_timestamp_in_seconds",
                            "The highest timestamp that came into the queue of remote write.")),
      bytes_gauge_(metrics.gauge("pipit_remote_write_queue_bytes", "Files of the queue of remote write.")) {}

WriteQueue::~WriteQueue() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::unique_ptr<WriteQueue>> WriteQueue::open(Options options, MetricsRegistry& metrics) {
  std::unique_ptr<WriteQueue> queue(new WriteQueue(std::move(options), metrics));
  if (const Status status = queue->start(); !status.ok()) return status.error();
  return queue;
}

Status WriteQueue::start() {
  std::error_code error;
  std::filesystem::create_directories(options_.path, error);
  if (error) return cannot("make", options_.path, error.value());
  for (std::filesystem::directory_iterator it(options_.path, error), end; !error && it != end; it.increment(error)) {
    const std::uint64_t number = number_of(it->path());
    if (number == 0) continue;
    const std::uint64_t size = it->file_size(error);
    const auto changed = it->last_write_time(error);
    if (error) break;
    const auto age = std::max(std::chrono::file_clock::now() - changed, std::chrono::file_clock::duration(0));
    segments_[number] = {size, Clock::now() - std::chrono::duration_cast<Clock::duration>(age)};
  }
  if (error) return cannot("read", options_.path, error.value());
  return open_segment();
}

/// REQUIRES: mutex_, or nobody else knows this.
Status WriteQueue::open_segment() {
  const std::uint64_t number = segments_.empty() ? 1 : segments_.rbegin()->first + 1;
  const std::filesystem::path path = segment_path(number);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return cannot("make", path, errno);
  if (::pwrite(fd, kSegmentMagic.data(), kSegmentMagic.size(), 0) != static_cast<ssize_t>(kSegmentMagic.size())) {
    const int error = errno;
    ::close(fd);
    ::unlink(path.c_str());
    return cannot("write", path, error);
  }
  if (fd_ >= 0) {
    if (dirty_) ::fdatasync(fd_);
    ::close(fd_);
  }
  // A power cut must not take the file's name while its bytes are on the disk.
  if (const int folder = ::open(options_.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  fd_ = fd;
  segments_[number] = {kSegmentMagic.size(), Clock::now()};
  return {};
}

void WriteQueue::committing(const CommittedSamples& samples) {
  const std::lock_guard lock(mutex_);
  record_.begin(0, 0, samples.series.size(), SeriesList::inlined, 0);
  for (const SeriesId id : samples.series) record_.add_id(id);
  record_.set_times(samples.times);
  for (const double value : samples.values) record_.add_value(value, {});
  for (const TimestampMs time : samples.times) newest_time_ = std::max(newest_time_, time);
  const auto count = static_cast<double>(samples.series.size());
  if (write(record_.finish())) {
    samples_in_.add(count);
    newest_.set(static_cast<double>(newest_time_) / 1000);
  } else {
    lost_.add(count);
  }
}

void WriteQueue::add_exemplar(const Labels& series, const Exemplar& exemplar) {
  const std::lock_guard lock(mutex_);
  exemplar_.assign(1, kExemplarRecord);
  for (const Labels* labels : {&series, &exemplar.labels}) {
    std::string encoded;
    encode_labels(*labels, encoded);
    put_text(exemplar_, encoded);
  }
  put_fixed64(exemplar_, std::bit_cast<std::uint64_t>(exemplar.value));
  put_varint(exemplar_, zigzag(static_cast<std::uint64_t>(exemplar.time)));
  if (write(exemplar_)) exemplars_in_.add();
}

/// Writes a record and says so in the log when that begins or ceases to fail.
bool WriteQueue::write(std::string_view payload) {
  const bool written = write_frame(payload);
  if (written == failing_) {
    failing_ = !written;
    if (written) {
      log_info("The queue of remote write can be written again");
    } else {
      log_error("The queue of remote write can't be written: samples are stored, but not sent",
                {{"path", options_.path.string()}, {"err", std::generic_category().message(errno)}});
    }
  }
  if (written && armed_.exchange(false) && wake_) wake_();
  return written;
}

bool WriteQueue::write_frame(std::string_view payload) {
  Segment* segment = &segments_.rbegin()->second;
  if (segment->bytes >= options_.segment_bytes) {
    if (!open_segment().ok()) return false;
    segment = &segments_.rbegin()->second;
  }
  char header[kFrameHeader];
  put_little_endian32(header, static_cast<std::uint32_t>(payload.size()));
  put_little_endian32(header + 4, queue_checksum(payload));
  const iovec parts[] = {{header, sizeof header}, {const_cast<char*>(payload.data()), payload.size()}};
  const std::uint64_t size = sizeof header + payload.size();
  const ssize_t written = ::pwritev(fd_, parts, 2, static_cast<off_t>(segment->bytes));
  if (written < 0 || static_cast<std::uint64_t>(written) != size) {
    // Part of a record behind which others follow would hide them.
    const int error = written < 0 ? errno : ENOSPC;
    if (::ftruncate(fd_, static_cast<off_t>(segment->bytes)) != 0) static_cast<void>(open_segment());
    errno = error;
    return false;
  }
  segment->bytes += size;
  segment->last_write = Clock::now();
  dirty_ = true;
  if (options_.sync_each && ::fdatasync(fd_) == 0) dirty_ = false;
  return true;
}

QueuePosition WriteQueue::end() const {
  const std::lock_guard lock(mutex_);
  const auto& [number, segment] = *segments_.rbegin();
  return {number, segment.bytes, 0};
}

std::uint64_t WriteQueue::first_segment() const {
  const std::lock_guard lock(mutex_);
  return segments_.begin()->first;
}

std::filesystem::path WriteQueue::segment_path(std::uint64_t segment) const {
  std::string name = std::to_string(segment);
  name.insert(0, kDigits - std::min(kDigits, name.size()), '0');
  return options_.path / (name += kSuffix);
}

void WriteQueue::set_wake(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

void WriteQueue::sync() {
  int fd = -1;
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(dirty_, false)) return;
    fd = ::dup(fd_);  // nobody waits for the disk
  }
  if (fd < 0) return;
  ::fdatasync(fd);
  ::close(fd);
}

void WriteQueue::release_before(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  while (segments_.size() > 1 && segments_.begin()->first < segment) {
    ::unlink(segment_path(segments_.begin()->first).c_str());
    segments_.erase(segments_.begin());
  }
  std::uint64_t bytes = 0;
  for (const auto& [number, each] : segments_) bytes += each.bytes;
  bytes_gauge_.set(static_cast<double>(bytes));
}

std::uint64_t WriteQueue::excess_segment(std::uint64_t max_bytes, DurationMs max_age) const {
  const std::lock_guard lock(mutex_);
  if (segments_.size() < 2) return 0;
  std::uint64_t bytes = 0;
  for (const auto& [number, each] : segments_) bytes += each.bytes;
  const auto& [number, oldest] = *segments_.begin();
  const bool too_old = max_age > 0 && Clock::now() - oldest.last_write > std::chrono::milliseconds(max_age);
  return bytes > max_bytes || too_old ? number : 0;
}

std::uint64_t WriteQueue::bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& [number, each] : segments_) bytes += each.bytes;
  return bytes;
}

}  // namespace pipit
