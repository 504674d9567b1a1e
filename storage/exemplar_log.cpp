#include "storage/exemplar_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "storage/coding.h"
#include "storage/hash.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::string_view kHeader = "pipit exemplars 1\n";
constexpr std::size_t kMostBytes = 16u << 20;
constexpr std::size_t kChecksumBytes = 4;

enum class Kind : std::uint8_t { series = 1, exemplar = 2 };

void put_labels(std::string& out, const Labels& labels) {
  put_varint(out, labels.size());
  for (const Label& label : labels) {
    put_text(out, label.name);
    put_text(out, label.value);
  }
}

bool read_labels(ByteReader& reader, Labels& labels) {
  std::uint64_t count = 0;
  if (!reader.varint(count) || count > reader.remaining()) return false;
  std::vector<Label> read;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view name;
    std::string_view value;
    if (!reader.text(name) || !reader.text(value)) return false;
    read.push_back({std::string(name), std::string(value)});
  }
  labels = Labels(std::move(read));
  return true;
}

/// A record around what `put` writes: its size, the payload, a checksum.
template <class Put>
void put_record(std::string& out, Kind kind, Put put) {
  std::string payload(1, static_cast<char>(kind));
  put(payload);
  put_text(out, payload);
  put_big_endian32(out, static_cast<std::uint32_t>(hash_bytes(payload, {}).low));
}

bool read_record(ByteReader& reader, std::string_view& payload) {
  std::string_view checksum;
  return reader.text(payload) && !payload.empty() && reader.bytes(kChecksumBytes, checksum) &&
         big_endian32(checksum.data()) == static_cast<std::uint32_t>(hash_bytes(payload, {}).low);
}

bool read_exemplar(ByteReader& reader, std::uint64_t& series, Exemplar& exemplar) {
  std::uint64_t time = 0;
  std::uint64_t bits = 0;
  std::uint8_t has_time = 0;
  if (!reader.varint(series) || !reader.byte(has_time) || !reader.varint(time) || !reader.fixed64(bits)) return false;
  exemplar.has_time = has_time != 0;
  exemplar.time = static_cast<TimestampMs>(unzigzag(time));
  exemplar.value = std::bit_cast<double>(bits);
  return read_labels(reader, exemplar.labels);
}

/// At most a little more than a file may have.
std::string read_bytes(const std::filesystem::path& path) {
  std::string bytes;
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return bytes;
  struct stat info {};
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    bytes.resize(std::min<std::size_t>(static_cast<std::size_t>(info.st_size), 2 * kMostBytes));
    std::size_t size = 0;
    while (size < bytes.size()) {
      const ssize_t got = ::read(fd, bytes.data() + size, bytes.size() - size);
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    bytes.resize(size);
  }
  ::close(fd);
  return bytes;
}

std::filesystem::path old_file(std::filesystem::path path) { return path += ".old"; }

}  // namespace

ExemplarLog::ExemplarLog(std::filesystem::path path, std::size_t exemplars_per_file)
    : path_(std::move(path)), per_file_(exemplars_per_file) {}

ExemplarLog::~ExemplarLog() { close_file(); }

void ExemplarLog::read(const std::function<void(Labels series, Exemplar exemplar)>& visit) {
  read_file(old_file(path_), visit);
  end_ = read_file(path_, visit);
}

ExemplarLog::FileEnd ExemplarLog::read_file(const std::filesystem::path& path,
                                            const std::function<void(Labels series, Exemplar exemplar)>& visit) const {
  FileEnd end;
  const std::string bytes = read_bytes(path);
  if (!std::string_view(bytes).starts_with(kHeader)) return end;
  end.size = kHeader.size();
  std::unordered_map<std::uint64_t, Labels> series;
  ByteReader reader(std::string_view(bytes).substr(kHeader.size()));
  std::string_view payload;
  while (!reader.done() && read_record(reader, payload)) {
    ByteReader record(payload.substr(1));
    std::uint64_t number = 0;
    if (payload[0] == static_cast<char>(Kind::series)) {
      Labels labels;
      if (!record.varint(number) || !read_labels(record, labels)) break;
      series[number] = std::move(labels);
    } else {
      Exemplar exemplar;
      if (!read_exemplar(record, number, exemplar)) break;
      if (const auto known = series.find(number); known != series.end()) visit(known->second, std::move(exemplar));
      ++end.exemplars;
    }
    end.size = bytes.size() - reader.remaining();
  }
  if (end.size < bytes.size()) {
    log_warn("A file of exemplars is damaged or cut short; what stands before is used",
             {{"file", path.string()}, {"good_bytes", end.size}, {"bytes", bytes.size()}});
  }
  return end;
}

void ExemplarLog::add(std::uint32_t series, const Labels& labels, const Exemplar& exemplar) {
  if (end_.exemplars >= per_file_ || end_.size >= kMostBytes) rotate();
  if (fd_ < 0 && !open_file()) return;
  bytes_.clear();
  if (defined_.size() <= series) defined_.resize(series + 1);
  if (defined_[series] != generation_) {
    put_record(bytes_, Kind::series, [&](std::string& out) {
      put_varint(out, series);
      put_labels(out, labels);
    });
  }
  put_record(bytes_, Kind::exemplar, [&](std::string& out) {
    put_varint(out, series);
    out += exemplar.has_time ? '\1' : '\0';
    put_varint(out, zigzag(static_cast<std::uint64_t>(exemplar.time)));
    put_fixed64(out, std::bit_cast<std::uint64_t>(exemplar.value));
    put_labels(out, exemplar.labels);
  });
  if (::write(fd_, bytes_.data(), bytes_.size()) != static_cast<ssize_t>(bytes_.size())) {
    if (!std::exchange(failing_, true)) {
      log_warn("Exemplars are not written to disk", {{"file", path_.string()}, {"err", std::strerror(errno)}});
    }
    close_file();  // opened again, it ends where it was good
    return;
  }
  failing_ = false;
  defined_[series] = generation_;
  end_.size += bytes_.size();
  ++end_.exemplars;
}

void ExemplarLog::forget(std::uint32_t series) {
  if (series < defined_.size()) defined_[series] = 0;
}

bool ExemplarLog::open_file() {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const bool good =
      fd_ >= 0 && ::ftruncate(fd_, static_cast<off_t>(end_.size)) == 0 &&
      (end_.size > 0 || ::write(fd_, kHeader.data(), kHeader.size()) == static_cast<ssize_t>(kHeader.size()));
  if (good) {
    if (end_.size == 0) end_.size = kHeader.size();
    return true;
  }
  if (!std::exchange(failing_, true)) {
    log_warn("Exemplars are not written to disk", {{"file", path_.string()}, {"err", std::strerror(errno)}});
  }
  close_file();
  return false;
}

void ExemplarLog::close_file() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void ExemplarLog::rotate() {
  close_file();
  std::error_code ignored;
  std::filesystem::rename(path_, old_file(path_), ignored);
  end_ = {};
  ++generation_;
}

}  // namespace pipit
