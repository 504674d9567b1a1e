#include "query/active_queries.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <string>
#include <system_error>

#include "model/duration.h"
#include "model/labels.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::size_t kLineBytes = 1000;
constexpr auto kBlankLine = [] {
  std::array<char, kLineBytes> line{};
  line.fill(' ');
  line.back() = '\n';
  return line;
}();
constexpr std::size_t kNoPlace = std::numeric_limits<std::size_t>::max();
constexpr TimestampMs kLastTime = 253'402'300'800'000;  // the year 10000
// Of an earlier run, which may have had other flags.
constexpr std::size_t kMaxBytesToRead = std::size_t{1} << 20;

Error cannot(const char* what, const std::filesystem::path& file) {
  return {ErrorKind::unavailable, std::string("cannot ") + what + " " + file.string() +
                                      ", the record of active queries: " + std::generic_category().message(errno)};
}

std::string read_all(int file) {
  const off_t bytes = ::lseek(file, 0, SEEK_END);
  std::string text(bytes > 0 ? std::min(static_cast<std::size_t>(bytes), kMaxBytesToRead) : 0, '\0');
  const auto size = ::pread(file, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

std::string started(std::string_view text) {
  TimestampMs ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  const bool is_time = error == std::errc() && end == text.data() + text.size() && ms >= 0 && ms < kLastTime;
  return is_time ? format_rfc3339(ms) : std::string(text);
}

void log_unfinished(std::string_view text) {
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find_last_not_of(' ') + 1);
    const auto space = line.find(' ');
    if (space == std::string_view::npos) continue;
    log_warn("This query had not ended when Pipit did",
             {{"query", std::string(line.substr(space + 1))}, {"started", started(line.substr(0, space))}});
  }
}

}  // namespace

Result<std::unique_ptr<ActiveQueries>> ActiveQueries::open(const std::filesystem::path& path, unsigned places) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return cannot("open", path);
  std::unique_ptr<ActiveQueries> queries(new ActiveQueries(file, places));
  log_unfinished(read_all(file));
  if (::ftruncate(file, 0) != 0) return cannot("empty", path);
  for (std::size_t place = places; place-- > 0;) {
    queries->write(place, {kBlankLine.data(), kBlankLine.size()});
    queries->free_.push_back(place);
  }
  if (::lseek(file, 0, SEEK_END) != static_cast<off_t>(places * kLineBytes)) return cannot("write", path);
  return queries;
}

ActiveQueries::ActiveQueries(int file, unsigned places) : file_(file), used_(places) { free_.reserve(places); }
ActiveQueries::~ActiveQueries() { ::close(file_); }

std::size_t ActiveQueries::add(std::string_view expr) {
  std::size_t place = kNoPlace;
  {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return kNoPlace;
    place = free_.back();
    free_.pop_back();
  }
  std::string text = std::to_string(now_ms()) + " ";
  append_quoted(text, expr.substr(0, kLineBytes));
  text.resize(std::min(text.size(), kLineBytes - 1));
  write(place, text);
  used_[place] = text.size();
  return place;
}

void ActiveQueries::remove(std::size_t place) {
  write(place, {kBlankLine.data(), used_[place]});
  const std::lock_guard lock(mutex_);
  free_.push_back(place);
}

void ActiveQueries::write(std::size_t place, std::string_view text) const {
  // A record that can't be written is no reason to refuse a query.
  [[maybe_unused]] const auto written =
      ::pwrite(file_, text.data(), text.size(), static_cast<off_t>(place * kLineBytes));
}

ActiveQueries::Entry::Entry(ActiveQueries* queries, std::string_view expr)
    : queries_(queries), place_(queries == nullptr ? kNoPlace : queries->add(expr)) {}

ActiveQueries::Entry::~Entry() {
  if (place_ != kNoPlace) queries_->remove(place_);
}

}  // namespace pipit
