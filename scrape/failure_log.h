#pragma once

#include <cstdio>
#include <memory>
#include <string>

namespace pipit {

/// The file of `scrape_failure_log_file`: a line of JSON for each failed scrape. It is opened with the first one and
/// again when it was moved away. Of the scraping thread.
class FailureLog {
 public:
  explicit FailureLog(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }

  void add(const std::string& job, const std::string& target, const std::string& error);

 private:
  bool open();

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  bool failed_ = false;  ///< the log says so once
};

}  // namespace pipit
