#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "model/metadata.h"
#include "scrape/scrape_metrics.h"
#include "scrape/series_cache.h"
#include "storage/appender.h"
#include "storage/exemplar_store.h"

namespace pipit {

/// The page that is being written and what becomes of it, reused from page to page.
struct WriteBuffers {
  ScrapedPage page;
  std::vector<SeriesRef> refs;
  std::vector<double> values;
  std::vector<TimestampMs> times;
  std::vector<std::uint32_t> sources;  ///< which sample of the page a batch's element is; empty: the same index
  std::vector<SeriesRef> stale;
  /// Samples that are stored at once. Less than a page has make several batches, between which others can store theirs.
  std::size_t most_at_once = ~std::size_t{0};

  void clear();
};

/// What the writers of all targets share. Thread-safe.
struct WriterContext {
  WriterContext(Appender& store, MetricsRegistry& registry) : appender(store), metrics(registry) {}

  Appender& appender;
  ExemplarStore* exemplars = nullptr;  ///< may be null: exemplars are not stored
  ScrapeMetrics metrics;
  LayoutPool layouts;
};

/// Turns the pages of one target into samples of the store, and keeps what has to be known from page to page: which
/// line is which series, and which series end. Of one thread at a time, but for `abandon`.
class TargetWriter {
 public:
  /// `labels` are those that the target's series get; `name` is for the log.
  TargetWriter(WriterContext& context, std::shared_ptr<const ScrapeConfig> config, Labels labels, std::string name);
  ~TargetWriter();

  /// Takes the job's new configuration from the next page on.
  void reconfigure(std::shared_ptr<const ScrapeConfig> config);
  /// What `scrape_timeout_seconds` says of the target.
  void set_timeout(DurationMs timeout) { timeout_ = timeout; }

  /// Stores what a scrape brought as one batch (or several, if `buffers` say so): the page's samples, stale markers of
  /// series that ended, and the report (`up` and others). `fetched` is how the request went; `seconds` is asked for the
  /// duration once the page is read. Returns why the scrape counts as failed, if it does.
  Status write(WriteBuffers& buffers, const Status& fetched, std::string_view page, PageFormat format, TimestampMs time,
               const std::function<double()>& seconds);

  /// Ends all series of the target, reports included.
  void write_end(WriteBuffers& buffers, TimestampMs time);

  /// From any thread: lets a running `write` end soon, with an error and maybe half a page stored.
  void abandon() { abandoned_ = true; }

  /// What was wrong with the page before though it was stored: samples that were refused, or faults of meaning. Or "".
  std::string warning() const { return refused_ + (refused_.empty() || meaning_.empty() ? "" : "; ") + meaning_; }
  /// The page before.
  const SeriesCache& cache() const { return cache_; }

 private:
  struct Report {
    std::size_t scraped = 0;
    std::size_t kept = 0;
    std::size_t added = 0;
    std::size_t body_bytes = 0;
  };

  Status read(std::string_view text, PageFormat format, Report& report);
  Status resolve_fresh(Report& report);
  void set_metadata();
  void add_exemplars(TimestampMs time);
  void judge();
  void collect_samples(TimestampMs time);
  void collect_stale(TimestampMs time);
  Status collect_report(bool up, const Report& report, double seconds, TimestampMs time);
  void add(SeriesRef ref, double value, TimestampMs time);
  Status append();
  Status append_all(AppendReport& total);
  Status append_unknown(const std::vector<std::uint32_t>& unknown, AppendReport& total);
  void count_refused(const AppendReport& report);

  static constexpr std::size_t kReportSeries = 8;
  std::size_t report_size() const { return config_->extra_scrape_metrics ? kReportSeries : kReportSeries - 3; }

  WriterContext& context_;
  WriteBuffers* buffers_ = nullptr;  ///< of the running call
  std::atomic<bool> abandoned_{false};
  std::shared_ptr<const ScrapeConfig> config_;
  Labels labels_;
  std::string name_;
  SeriesCache cache_;
  std::array<SeriesRef, kReportSeries> report_refs_{};
  DurationMs timeout_ = 0;
  std::size_t page_samples_ = 0;  ///< of the batch; stale markers and the report follow
  std::uint32_t out_of_bounds_ = 0;
  bool live_ = false;  ///< the series of the page before have no stale marker yet
  bool reported_ = false;
  std::string refused_;    ///< of the page before
  std::string meaning_;    ///< of the last page with another layout
  bool refusing_ = false;  ///< the last page had refused samples, which the log knows
};

}  // namespace pipit
