#include "query/active_queries.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <system_error>

#include "model/duration.h"
#include "model/labels.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::size_t kLineBytes = 1000;
constexpr std::size_t kNoPlace = std::numeric_limits<std::size_t>::max();
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

void log_unfinished(std::string_view text) {
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find_last_not_of(' ') + 1);
    const auto space = line.find(' ');
    if (space == std::string_view::npos) continue;
    log_warn("This query had not ended when Pipit did",
             {{"query", std::string(line.substr(space + 1))}, {"started", std::string(line.substr(0, space))}});
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
    queries->write(place, {});
    queries->free_.push_back(place);
  }
  if (::lseek(file, 0, SEEK_END) != static_cast<off_t>(places * kLineBytes)) return cannot("write", path);
  return queries;
}

ActiveQueries::ActiveQueries(int file, unsigned places) : file_(file) { free_.reserve(places); }
ActiveQueries::~ActiveQueries() { ::close(file_); }

std::size_t ActiveQueries::add(std::string_view expr) {
  std::size_t place = kNoPlace;
  {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return kNoPlace;
    place = free_.back();
    free_.pop_back();
  }
  std::string text = format_rfc3339(now_ms()) + " ";
  append_quoted(text, expr.substr(0, kLineBytes));
  write(place, text);
  return place;
}

void ActiveQueries::remove(std::size_t place) {
  write(place, {});
  const std::lock_guard lock(mutex_);
  free_.push_back(place);
}

void ActiveQueries::write(std::size_t place, std::string_view text) const {
  std::string line(text.substr(0, kLineBytes - 1));
  line.resize(kLineBytes - 1, ' ');
  line += '\n';
  // A record that can't be written is no reason to refuse a query.
  [[maybe_unused]] const auto written =
      ::pwrite(file_, line.data(), line.size(), static_cast<off_t>(place * kLineBytes));
}

ActiveQueries::Entry::Entry(ActiveQueries* queries, std::string_view expr)
    : queries_(queries), place_(queries == nullptr ? kNoPlace : queries->add(expr)) {}

ActiveQueries::Entry::~Entry() {
  if (place_ != kNoPlace) queries_->remove(place_);
}

}  // namespace pipit
