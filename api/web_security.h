#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/password_check.h"
#include "api/tls_server.h"
#include "api/web_config.h"
#include "model/result.h"
#include "telemetry/metrics.h"

namespace pipit {

/// Who may ask: the file of --web.config.file, in force.
///
/// The file and the files that it names are looked at for each connection and each request, and read again when they
/// have changed. A change with a mistake is logged and refused, and what was in force stays, until one of the files
/// that the refused one names changes. So is one that turns TLS on or off, as the clients' URLs would be wrong.
/// Thread-safe.
class WebSecurity {
 public:
  /// Reads the file. `metrics` must outlive this.
  static Result<std::unique_ptr<WebSecurity>> open(const std::string& path, MetricsRegistry& metrics);

  enum class Verdict {
    allowed,
    unauthorized,
    unknown,  ///< `verify` must find out
  };
  /// From what is in memory.
  Verdict verdict(const std::string& authorization);
  /// The same, never `unknown`; may take as long as bcrypt does.
  Verdict verify(const std::string& authorization);

  /// Whether the rate limit leaves room for a request, which is counted.
  bool take_rate();

  /// For connections that are accepted now; null for plain HTTP.
  std::shared_ptr<const TlsServerContext> tls();
  bool is_tls() const { return is_tls_; }
  /// For every answer.
  std::vector<std::pair<std::string, std::string>> headers();

 private:
  /// What one reading of the files gave; never changed.
  struct Rules {
    WebConfig config;
    std::shared_ptr<const TlsServerContext> tls;
    std::unique_ptr<PasswordCheck> passwords;  ///< null when everybody may
  };
  /// By which a changed file is known.
  struct FileState {
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    std::int64_t changed_ns = 0;
    bool operator==(const FileState&) const = default;
  };

  WebSecurity(std::string path, MetricsRegistry& metrics);
  static Result<std::shared_ptr<const Rules>> read(const std::string& path, std::vector<std::string>& files);
  /// Reads, and watches what was looked for.
  Result<std::shared_ptr<const Rules>> read_watched();
  static std::vector<FileState> look_at(const std::vector<std::string>& files);
  /// The rules in force, read again if a file has changed.
  std::shared_ptr<const Rules> rules();
  Verdict check(const std::string& authorization, bool may_take_long);

  const std::string path_;
  Gauge& successful_;
  Counter& refused_;
  bool is_tls_ = false;
  std::mutex mutex_;  ///< of what is below
  std::shared_ptr<const Rules> rules_;
  std::vector<std::string> files_;  ///< that `states_` are of
  std::vector<FileState> states_;
  double rate_tokens_ = 0;
  std::chrono::steady_clock::time_point rate_time_{};
};

}  // namespace pipit
