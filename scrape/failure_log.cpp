#include "scrape/failure_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "telemetry/log.h"

namespace pipit {
namespace {

std::string now_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  char text[48];
  std::snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>(ms));
  return text;
}

}  // namespace

bool FailureLog::open() {
  struct stat named {};
  struct stat opened {};
  if (file_ && ::stat(path_.c_str(), &named) == 0 && ::fstat(fileno(file_.get()), &opened) == 0 &&
      named.st_ino == opened.st_ino && named.st_dev == opened.st_dev) {
    return true;
  }
  // A FIFO that nobody reads would wait.
  const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  file_.reset(fd < 0 ? nullptr : ::fdopen(fd, "a"));
  if (!file_ && !std::exchange(failed_, true)) {
    log_warn("Failed scrapes cannot be logged to the file", {{"file", path_}, {"err", std::strerror(errno)}});
  }
  if (file_) failed_ = false;
  return file_ != nullptr;
}

void FailureLog::add(const std::string& job, const std::string& target, const std::string& error) {
  if (!open()) return;
  const nlohmann::ordered_json line = {
      {"time", now_text()}, {"level", "ERROR"}, {"msg", error}, {"job_name", job}, {"target", target}};
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), file_.get());
  std::fflush(file_.get());
}

}  // namespace pipit
