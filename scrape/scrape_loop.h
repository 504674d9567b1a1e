#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "config/config.h"
#include "scrape/blocking_calls.h"
#include "scrape/http_client.h"
#include "scrape/schedule.h"
#include "scrape/scrape_manager.h"
#include "scrape/target.h"
#include "scrape/target_writer.h"

namespace pipit {

class FailureLog;

/// What the loops of all targets share.
struct LoopContext {
  boost::asio::io_context& io;
  HttpClient& client;
  PageBufferPool& pages;
  WriterContext& writers;
  WriteBuffers& buffers;       ///< of the io_context's thread
  BlockingCalls& large_pages;  ///< where pages are written that would keep other targets waiting
  std::mutex& status_mutex;    ///< guards what `ScrapeLoop::status` reads
};

/// What a job's targets share; immutable.
struct JobSettings {
  std::shared_ptr<const ScrapeConfig> config;  ///< without its static_configs
  std::string forced_error;                    ///< every scrape fails with it, as when target_limit is exceeded
  std::shared_ptr<HttpAccess> access;          ///< null: plain requests
  std::shared_ptr<FailureLog> failure_log;     ///< null: none
  std::string user_agent;
  std::uint64_t body_limit = 0;
};

/// Scrapes one target at its times. Lives on the thread of the io_context, but for `status`.
class ScrapeLoop : public std::enable_shared_from_this<ScrapeLoop> {
 public:
  ScrapeLoop(LoopContext& context, Target target, std::shared_ptr<const JobSettings> job);
  ~ScrapeLoop();

  void start();
  /// Takes a new configuration; the schedule goes on unless the interval is another.
  void reconfigure(Target target, std::shared_ptr<const JobSettings> job);
  /// Ends it: no more scrapes. With `mark_stale`, its series end.
  void stop(bool mark_stale);

  /// REQUIRES: status_mutex is held.
  TargetStatus status() const;

  Labels labels() const { return target_.public_labels(); }
  /// What the target served last; null while a large page is being written.
  const SeriesCache* page() const { return writing_ ? nullptr : &writer_.cache(); }

 private:
  struct Timer;
  struct Page;
  struct Settings {
    Target target;
    std::shared_ptr<const JobSettings> job;
  };

  void prepare_request();
  void wait_for_slot();
  void scrape();
  void finish(FetchResult result);
  void write(Page& page, WriteBuffers& buffers);
  bool write_elsewhere(const std::shared_ptr<Page>& page);
  void conclude(Page& page);
  void end_series();

  LoopContext& context_;
  Target target_;
  std::shared_ptr<const JobSettings> job_;
  Schedule schedule_;
  FetchRequest request_;
  std::shared_ptr<HttpFetcher> fetcher_;
  TargetWriter writer_;
  std::unique_ptr<Timer> timer_;
  std::chrono::steady_clock::time_point started_;
  TimestampMs time_ = 0;     ///< of the running or last scrape
  std::uint64_t waits_ = 0;  ///< a timer that fired while it was being replaced finds another number
  bool running_ = false;
  bool writing_ = false;  ///< on another thread, which has the writer
  bool stopped_ = false;
  std::unique_ptr<Settings> next_;       ///< come while `writing_`
  std::optional<TimestampMs> end_time_;  ///< when the series are to end, if they are, once nothing is written

  // Guarded by status_mutex.
  TargetHealth health_ = TargetHealth::unknown;
  std::string last_error_;
  std::string last_warning_;
  double last_duration_ = 0;
  TimestampMs last_scrape_ = 0;
};

}  // namespace pipit
