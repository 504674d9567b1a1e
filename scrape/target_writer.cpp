#include "scrape/target_writer.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <thread>
#include <utility>

#include "model/duration.h"
#include "scrape/bucket_labels.h"
#include "scrape/openmetrics.h"
#include "scrape/openmetrics_judge.h"
#include "scrape/series_labels.h"
#include "scrape/target_metadata.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// The last three only with `extra_scrape_metrics`.
constexpr std::string_view kReportNames[] = {"up",
                                             "scrape_duration_seconds",
                                             "scrape_samples_scraped",
                                             "scrape_samples_post_metric_relabeling",
                                             "scrape_series_added",
                                             "scrape_timeout_seconds",
                                             "scrape_sample_limit",
                                             "scrape_body_size_bytes"};
/// Timestamps further ahead of now than this are refused (Prometheus, scrape/scrape.go, maxAheadTime).
constexpr DurationMs kMostAhead = DurationMs{10} * 60'000;

/// Locks are not fair: who stores batch after batch lets others have their turn between them.
constexpr std::chrono::microseconds kPause{200};

Error abandoned() { return Error{ErrorKind::unavailable, "the server is stopping"}; }

void add_counts(AppendReport& total, const AppendReport& report) {
  total.duplicates += report.duplicates;
  total.out_of_order += report.out_of_order;
  total.too_old += report.too_old;
  total.out_of_bounds += report.out_of_bounds;
}

}  // namespace

void WriteBuffers::clear() {
  refs.clear();
  values.clear();
  times.clear();
  sources.clear();
  stale.clear();
}

TargetWriter::TargetWriter(WriterContext& context, std::shared_ptr<const ScrapeConfig> config, Labels labels,
                           std::string name)
    : context_(context),
      config_(std::move(config)),
      labels_(std::move(labels)),
      name_(std::move(name)),
      cache_(context.layouts) {}

TargetWriter::~TargetWriter() { context_.metrics.cached_series.add(-static_cast<double>(cache_.size())); }

void TargetWriter::reconfigure(std::shared_ptr<const ScrapeConfig> config) {
  if (!same_series(*config, *config_)) {
    context_.metrics.cached_series.add(-static_cast<double>(cache_.size()));
    cache_.forget_texts();
  }
  config_ = std::move(config);
}

Status TargetWriter::write(WriteBuffers& buffers, const Status& fetched, std::string_view text, PageFormat format,
                           TimestampMs time, const std::function<double()>& seconds) {
  buffers_ = &buffers;
  buffers_->clear();
  out_of_bounds_ = 0;
  Report report;
  report.body_bytes = text.size();
  Status status = fetched.ok() ? read(text, format, report) : fetched;
  if (status.ok()) {
    collect_samples(time);
    if (live_) cache_.vanished(buffers_->page, buffers_->stale);
  } else if (live_) {
    cache_.live(buffers_->stale);
  }
  page_samples_ = buffers_->refs.size();
  for (std::size_t i = report_size(); i < kReportSeries; ++i) {  // of a configuration that is gone
    if (report_refs_[i] != kNoSeries) buffers_->stale.push_back(std::exchange(report_refs_[i], kNoSeries));
  }
  collect_stale(time);
  Status appended = collect_report(status.ok(), report, seconds(), time);
  if (appended.ok()) appended = append();
  if (!appended.ok()) return appended;
  reported_ = true;
  live_ = status.ok();
  if (status.ok()) {
    const auto before = static_cast<double>(cache_.size());
    const bool changed = cache_.commit(buffers_->page, config_->track_timestamps_staleness);
    context_.metrics.cached_series.add(static_cast<double>(cache_.size()) - before);
    context_.metrics.cache_bytes.set(static_cast<double>(context_.layouts.bytes()));
    set_metadata();
    add_exemplars(time);
    if (changed) judge();
  }
  buffers_->page.shrink();
  return status;
}

void TargetWriter::write_end(WriteBuffers& buffers, TimestampMs time) {
  buffers_ = &buffers;
  buffers_->clear();
  if (live_) cache_.live(buffers_->stale);
  for (const SeriesRef ref : report_refs_) {
    if (reported_ && ref != kNoSeries) buffers_->stale.push_back(ref);
  }
  live_ = false;
  reported_ = false;
  if (buffers_->stale.empty()) return;
  collect_stale(time);
  buffers_->times.assign(1, time);
  AppendReport ignored;
  if (Status appended = append_all(ignored); !appended) {
    log_warn("Stale markers were not stored", {{"target", name_}, {"err", appended.error()}});
  }
}

Status TargetWriter::read(std::string_view text, PageFormat format, Report& report) {
  ScrapedPage& page = buffers_->page;
  PageFault fault;
  if (!cache_.read(text, format, page, fault)) return bad_data(describe_fault(fault, text));
  if (!config_->honor_timestamps) page.times.clear();
  report.scraped = page.refs.size();
  context_.metrics.samples.add(static_cast<double>(report.scraped));
  report.kept = report.scraped - page.fresh.size() -
                static_cast<std::size_t>(std::count(page.refs.begin(), page.refs.end(), kDroppedSeries));
  return resolve_fresh(report);
}

Status TargetWriter::resolve_fresh(Report& report) {
  ScrapedPage& page = buffers_->page;
  auto over_limit = [&] { return config_->sample_limit > 0 && report.kept > config_->sample_limit; };
  FamilyTypes types(page);
  for (std::uint32_t i : page.fresh) {
    if (abandoned_) return abandoned();
    auto labels = series_labels(page.series_text(i), types.before(i), labels_, *config_);
    if (!labels) {
      PageFault fault{page.text.data() + page.lines[i].series, labels.error().message};
      return bad_data(describe_fault(fault, page.text));
    }
    if (!labels->has_value()) {
      page.refs[i] = kDroppedSeries;
      continue;
    }
    ++report.kept;
    if (over_limit()) continue;  // the rest is only counted, so that the report says by how much the limit was exceeded
    auto ref = context_.appender.series(**labels);
    if (!ref) return ref.error();
    ++report.added;
    page.refs[i] = *ref;
  }
  if (!over_limit()) return {};
  context_.metrics.sample_limit_exceeded.add();
  return bad_data("sample limit exceeded");
}

void TargetWriter::set_metadata() {
  const auto& lines = buffers_->page.metadata;
  for (std::size_t i = 0; i < lines.size();) {
    const FamilyMetadata family = join_metadata(lines, buffers_->page.format, i);
    if (Status set = context_.appender.set_metadata(family.metric, family.metadata); !set) {
      log_warn("Metadata was not stored", {{"target", name_}, {"metric", family.metric}, {"err", set.error()}});
      return;
    }
  }
}

void TargetWriter::add_exemplars(TimestampMs time) {
  const ScrapedPage& page = buffers_->page;
  if (page.exemplars.empty() || context_.exemplars == nullptr || !context_.exemplars->enabled()) return;
  FamilyTypes types(page);
  for (const ScrapedPage::Exemplar& found : page.exemplars) {
    const std::uint32_t i = found.sample;
    if (page.refs[i] == kDroppedSeries) continue;
    Exemplar exemplar{parse_exemplar_labels(found.text.labels), found.text.value, time, found.text.has_time};
    if (found.text.has_time) {
      exemplar.time = found.text.time;
    } else if (!page.times.empty() && page.times[i] != ScrapedPage::kNoTime) {
      exemplar.time = page.times[i];
    }
    const auto labels_of_sample = [&] {
      auto labels = series_labels(page.series_text(i), types.before(i), labels_, *config_);
      return labels.ok() && labels->has_value() ? **std::move(labels) : Labels();
    };
    context_.exemplars->add(page.refs[i], labels_of_sample, std::move(exemplar));
  }
}

void TargetWriter::judge() {
  meaning_ = {};
  // A page of this size takes too long, as others wait meanwhile.
  constexpr std::size_t kLargestJudged = 2u << 20;
  const ScrapedPage& page = buffers_->page;
  if (page.format != PageFormat::openmetrics || page.text.size() > kLargestJudged) return;
  const PageJudgement judgement = judge_openmetrics(page.text);
  if (judgement.meaning_count == 0) return;
  context_.metrics.faults_of_meaning.add(static_cast<double>(judgement.meaning_count));
  meaning_ = "not as OpenMetrics demands: " + describe_fault(judgement.meaning.front(), page.text);
  if (judgement.meaning_count > 1) meaning_ += ", and " + std::to_string(judgement.meaning_count - 1) + " more";
}

void TargetWriter::collect_samples(TimestampMs time) {
  const ScrapedPage& page = buffers_->page;
  const bool any_dropped = std::find(page.refs.begin(), page.refs.end(), kDroppedSeries) != page.refs.end();
  if (!any_dropped && page.times.empty()) {
    buffers_->refs.assign(page.refs.begin(), page.refs.end());
    buffers_->values.assign(page.values.begin(), page.values.end());
    return;
  }
  const TimestampMs latest = page.times.empty() ? kMaxTimestamp : now_ms() + kMostAhead;
  for (std::uint32_t i = 0; i < page.refs.size(); ++i) {
    if (page.refs[i] == kDroppedSeries) continue;
    TimestampMs at = time;
    if (!page.times.empty() && page.times[i] != ScrapedPage::kNoTime) at = page.times[i];
    if (at > latest) {
      ++out_of_bounds_;
      continue;
    }
    buffers_->refs.push_back(page.refs[i]);
    buffers_->values.push_back(page.values[i]);
    if (!page.times.empty()) buffers_->times.push_back(at);
    buffers_->sources.push_back(i);
  }
}

void TargetWriter::add(SeriesRef ref, double value, TimestampMs time) {
  // One time for all unless the page brought its own.
  if (!buffers_->times.empty()) buffers_->times.push_back(time);
  buffers_->refs.push_back(ref);
  buffers_->values.push_back(value);
}

void TargetWriter::collect_stale(TimestampMs time) {
  for (SeriesRef ref : buffers_->stale) add(ref, stale_nan(), time);
}

Status TargetWriter::collect_report(bool up, const Report& report, double seconds, TimestampMs time) {
  const double values[kReportSeries] = {up ? 1.0 : 0.0,
                                        seconds,
                                        static_cast<double>(report.scraped),
                                        static_cast<double>(report.kept),
                                        static_cast<double>(report.added),
                                        static_cast<double>(timeout_) / 1000,
                                        static_cast<double>(config_->sample_limit),
                                        static_cast<double>(report.body_bytes)};
  for (std::size_t i = 0; i < report_size(); ++i) {
    if (report_refs_[i] == kNoSeries) {
      auto ref = context_.appender.series(
          merge_labels({{std::string(kMetricName), std::string(kReportNames[i])}}, labels_, false));
      if (!ref) return ref.error();
      report_refs_[i] = *ref;
    }
    add(report_refs_[i], values[i], time);
  }
  if (buffers_->times.empty()) buffers_->times.push_back(time);
  return {};
}

Status TargetWriter::append() {
  AppendReport total;
  if (Status appended = append_all(total); !appended) return appended;
  if (!total.unknown.empty()) {
    if (Status again = append_unknown(total.unknown, total); !again) return again;
  }
  count_refused(total);
  return {};
}

Status TargetWriter::append_all(AppendReport& total) {
  const std::span<const SeriesRef> refs(buffers_->refs);
  const std::span<const double> values(buffers_->values);
  const std::span<const TimestampMs> times(buffers_->times);
  for (std::size_t begin = 0; begin < refs.size();) {
    if (begin > 0) std::this_thread::sleep_for(kPause);
    if (abandoned_) return abandoned();
    const std::size_t count = std::min(buffers_->most_at_once, refs.size() - begin);
    auto appended = context_.appender.append({refs.subspan(begin, count), values.subspan(begin, count),
                                              times.size() == 1 ? times : times.subspan(begin, count)});
    if (!appended) return appended.error();
    add_counts(total, *appended);
    for (const std::uint32_t i : appended->unknown) total.unknown.push_back(static_cast<std::uint32_t>(begin) + i);
    begin += count;
  }
  return {};
}

Status TargetWriter::append_unknown(const std::vector<std::uint32_t>& unknown, AppendReport& total) {
  std::vector<SeriesRef> refs;
  std::vector<double> values;
  std::vector<TimestampMs> times;
  ScrapedPage& page = buffers_->page;
  const std::size_t report_begin = buffers_->refs.size() - report_size();
  FamilyTypes types(page);
  for (std::uint32_t i : unknown) {
    SeriesRef ref = kNoSeries;
    if (i < page_samples_) {
      const std::size_t source = buffers_->sources.empty() ? i : buffers_->sources[i];
      auto labels = series_labels(page.series_text(source), types.before(source), labels_, *config_);
      if (!labels || !labels->has_value()) continue;  // it was accepted before, so it is now
      auto found = context_.appender.series(**labels);
      if (!found) return found.error();
      ref = page.refs[source] = *found;
      page.refs_changed = true;
    } else if (i >= report_begin) {
      auto& report_ref = report_refs_[i - report_begin];
      auto found = context_.appender.series(
          merge_labels({{std::string(kMetricName), std::string(kReportNames[i - report_begin])}}, labels_, false));
      if (!found) return found.error();
      ref = report_ref = *found;
    } else {
      continue;  // a series that the store has dropped needs no stale marker
    }
    refs.push_back(ref);
    values.push_back(buffers_->values[i]);
    times.push_back(buffers_->times.size() == 1 ? buffers_->times[0] : buffers_->times[i]);
  }
  auto appended = context_.appender.append({refs, values, times});
  if (!appended) return appended.error();
  add_counts(total, *appended);
  return {};
}

void TargetWriter::count_refused(const AppendReport& report) {
  const std::uint32_t out_of_bounds = report.out_of_bounds + out_of_bounds_;
  if (report.refused() + out_of_bounds_ == 0) {
    refusing_ = false;
    refused_ = {};
    return;
  }
  refused_ = "samples were refused: " + std::to_string(report.duplicates) + " with another value for a time, " +
             std::to_string(report.out_of_order) + " out of order, " + std::to_string(report.too_old) + " too old, " +
             std::to_string(out_of_bounds) + " out of bounds";
  context_.metrics.duplicates.add(report.duplicates);
  context_.metrics.out_of_order.add(report.out_of_order);
  context_.metrics.too_old.add(report.too_old);
  context_.metrics.out_of_bounds.add(out_of_bounds);
  if (std::exchange(refusing_, true)) return;
  log_warn("Samples of a page were refused; not logged again until a page is stored whole",
           {{"target", name_},
            {"duplicate_timestamp", report.duplicates},
            {"out_of_order", report.out_of_order},
            {"too_old", report.too_old},
            {"out_of_bounds", out_of_bounds}});
}

}  // namespace pipit
