#include "scrape/target_writer.h"

#include <algorithm>
#include <utility>

#include "model/duration.h"
#include "model/relabel.h"
#include "scrape/bucket_labels.h"
#include "scrape/openmetrics.h"
#include "scrape/openmetrics_judge.h"
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

bool same_steps(const std::vector<RelabelConfig>& a, const std::vector<RelabelConfig>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const RelabelConfig& x, const RelabelConfig& y) {
    return x.source_labels == y.source_labels && x.separator == y.separator && x.regex.pattern() == y.regex.pattern() &&
           x.modulus == y.modulus && x.target_label == y.target_label && x.replacement == y.replacement &&
           x.action == y.action;
  });
}

/// Whether both make the same series of the same page.
bool same_series(const ScrapeConfig& a, const ScrapeConfig& b) {
  return a.honor_labels == b.honor_labels && a.legacy_names == b.legacy_names && a.label_limit == b.label_limit &&
         a.label_name_length_limit == b.label_name_length_limit &&
         a.label_value_length_limit == b.label_value_length_limit &&
         same_steps(a.metric_relabel_configs, b.metric_relabel_configs);
}

std::string shorten(std::string_view text) { return std::string(text.substr(0, 50)); }

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

/// Puts exposed labels that the target's own have displaced under `exported_` names.
void restore_displaced(Labels& labels, std::vector<Label> displaced) {
  // Short names first, as in Prometheus, so that `exported_x` beside `x` comes out the same each time.
  std::stable_sort(displaced.begin(), displaced.end(),
                   [](const Label& a, const Label& b) { return a.name.size() < b.name.size(); });
  for (const Label& label : displaced) {
    std::string name = label.name;
    do {
      name.insert(0, "exported_");
    } while (labels.has(name));
    labels.set(name, label.value);
  }
}

/// The labels of a page's series together with the target's.
Labels merge_labels(std::vector<Label> exposed, const Labels& target, bool honor) {
  auto exposed_value = [&exposed](const std::string& name) {
    auto found = std::find_if(exposed.begin(), exposed.end(), [&](const Label& l) { return l.name == name; });
    return found == exposed.end() ? nullptr : &found->value;
  };
  std::vector<Label> own;
  std::vector<Label> displaced;
  for (const Label& label : target) {
    const std::string* value = exposed_value(label.name);
    if (honor && value != nullptr) continue;  // an empty one too: that is how a page says "no such label"
    own.push_back(label);
    if (value != nullptr && !value->empty()) displaced.push_back({label.name, *value});
  }
  Labels merged(std::move(exposed));
  for (const Label& label : own) merged.set(label.name, label.value);
  restore_displaced(merged, std::move(displaced));
  return merged;
}

}  // namespace

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

Status TargetWriter::write(const Status& fetched, std::string_view text, PageFormat format, TimestampMs time,
                           const std::function<double()>& seconds) {
  context_.refs.clear();
  context_.values.clear();
  context_.times.clear();
  context_.sources.clear();
  context_.stale.clear();
  out_of_bounds_ = 0;
  Report report;
  report.body_bytes = text.size();
  Status status = fetched.ok() ? read(text, format, report) : fetched;
  if (status.ok()) {
    collect_samples(time);
    if (live_) cache_.vanished(context_.page, context_.stale);
  } else if (live_) {
    cache_.live(context_.stale);
  }
  page_samples_ = context_.refs.size();
  for (std::size_t i = report_size(); i < kReportSeries; ++i) {  // of a configuration that is gone
    if (report_refs_[i] != kNoSeries) context_.stale.push_back(std::exchange(report_refs_[i], kNoSeries));
  }
  collect_stale(time);
  Status appended = collect_report(status.ok(), report, seconds(), time);
  if (appended.ok()) appended = append();
  if (!appended.ok()) return appended;
  reported_ = true;
  live_ = status.ok();
  if (status.ok()) {
    const auto before = static_cast<double>(cache_.size());
    const bool changed = cache_.commit(context_.page, config_->track_timestamps_staleness);
    context_.metrics.cached_series.add(static_cast<double>(cache_.size()) - before);
    context_.metrics.cache_bytes.set(static_cast<double>(context_.layouts.bytes()));
    set_metadata();
    add_exemplars(time);
    if (changed) judge();
  }
  context_.page.shrink();
  return status;
}

void TargetWriter::write_end(TimestampMs time) {
  context_.refs.clear();
  context_.values.clear();
  context_.times.clear();
  context_.stale.clear();
  if (live_) cache_.live(context_.stale);
  for (const SeriesRef ref : report_refs_) {
    if (reported_ && ref != kNoSeries) context_.stale.push_back(ref);
  }
  live_ = false;
  reported_ = false;
  if (context_.stale.empty()) return;
  collect_stale(time);
  context_.times.assign(1, time);
  auto appended = context_.appender.append({context_.refs, context_.values, context_.times});
  if (!appended) log_warn("Stale markers were not stored", {{"target", name_}, {"err", appended.error()}});
}

Status TargetWriter::read(std::string_view text, PageFormat format, Report& report) {
  ScrapedPage& page = context_.page;
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
  ScrapedPage& page = context_.page;
  auto over_limit = [&] { return config_->sample_limit > 0 && report.kept > config_->sample_limit; };
  FamilyTypes types(page);
  for (std::uint32_t i : page.fresh) {
    auto labels = labels_of(page.series_text(i), types.before(i));
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

Result<std::optional<Labels>> TargetWriter::labels_of(std::string_view series, MetricType family) const {
  std::vector<Label> exposed = parse_series(series);
  normalize_bucket_label(family, exposed);
  std::vector<std::string_view> names;
  names.reserve(exposed.size());
  for (const Label& label : exposed) names.push_back(label.name);
  std::sort(names.begin(), names.end());
  if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    return bad_data("label name " + quoted(*twice) + " is not unique");
  }
  Labels labels = merge_labels(std::move(exposed), labels_, config_->honor_labels);
  if (!relabel(labels, config_->metric_relabel_configs) || labels.empty()) return std::optional<Labels>();
  if (labels.metric_name().empty()) return bad_data("missing metric name (__name__ label)");
  if (config_->legacy_names && !is_legacy_metric_name(labels.metric_name())) {
    return bad_data("invalid metric name or label names: " + labels.to_string());
  }
  for (const Label& label : labels) {
    if (!is_valid_utf8(label.name) || !is_valid_utf8(label.value) ||
        (config_->legacy_names && !is_legacy_label_name(label.name))) {
      return bad_data("invalid metric name or label names: " + labels.to_string());
    }
  }
  if (Status within = check_limits(labels); !within) return within.error();
  return std::optional<Labels>(std::move(labels));
}

Status TargetWriter::check_limits(const Labels& labels) const {
  const std::string metric = shorten(labels.metric_name());
  if (config_->label_limit > 0 && labels.size() > config_->label_limit) {
    return bad_data("label_limit exceeded (metric: " + metric + ", number of labels: " + std::to_string(labels.size()) +
                    ", limit: " + std::to_string(config_->label_limit) + ")");
  }
  for (const Label& label : labels) {
    const std::string where = " exceeded (metric: " + metric + ", label name: " + shorten(label.name);
    if (auto limit = config_->label_name_length_limit; limit > 0 && label.name.size() > limit) {
      return bad_data("label_name_length_limit" + where + ", length: " + std::to_string(label.name.size()) +
                      ", limit: " + std::to_string(limit) + ")");
    }
    if (auto limit = config_->label_value_length_limit; limit > 0 && label.value.size() > limit) {
      return bad_data("label_value_length_limit" + where + ", value: " + quoted(shorten(label.value)) +
                      ", length: " + std::to_string(label.value.size()) + ", limit: " + std::to_string(limit) + ")");
    }
  }
  return {};
}

void TargetWriter::set_metadata() {
  const auto& lines = context_.page.metadata;
  for (std::size_t i = 0; i < lines.size();) {
    const FamilyMetadata family = join_metadata(lines, context_.page.format, i);
    if (Status set = context_.appender.set_metadata(family.metric, family.metadata); !set) {
      log_warn("Metadata was not stored", {{"target", name_}, {"metric", family.metric}, {"err", set.error()}});
      return;
    }
  }
}

void TargetWriter::add_exemplars(TimestampMs time) {
  const ScrapedPage& page = context_.page;
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
    const auto series_labels = [&] {
      auto labels = labels_of(page.series_text(i), types.before(i));
      return labels.ok() && labels->has_value() ? **std::move(labels) : Labels();
    };
    context_.exemplars->add(page.refs[i], series_labels, std::move(exemplar));
  }
}

void TargetWriter::judge() {
  meaning_ = {};
  // A page of this size takes too long, as others wait meanwhile.
  constexpr std::size_t kLargestJudged = 2u << 20;
  const ScrapedPage& page = context_.page;
  if (page.format != PageFormat::openmetrics || page.text.size() > kLargestJudged) return;
  const PageJudgement judgement = judge_openmetrics(page.text);
  if (judgement.meaning_count == 0) return;
  context_.metrics.faults_of_meaning.add(static_cast<double>(judgement.meaning_count));
  meaning_ = "not as OpenMetrics demands: " + describe_fault(judgement.meaning.front(), page.text);
  if (judgement.meaning_count > 1) meaning_ += ", and " + std::to_string(judgement.meaning_count - 1) + " more";
}

void TargetWriter::collect_samples(TimestampMs time) {
  const ScrapedPage& page = context_.page;
  const bool any_dropped = std::find(page.refs.begin(), page.refs.end(), kDroppedSeries) != page.refs.end();
  if (!any_dropped && page.times.empty()) {
    context_.refs.assign(page.refs.begin(), page.refs.end());
    context_.values.assign(page.values.begin(), page.values.end());
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
    context_.refs.push_back(page.refs[i]);
    context_.values.push_back(page.values[i]);
    if (!page.times.empty()) context_.times.push_back(at);
    context_.sources.push_back(i);
  }
}

void TargetWriter::add(SeriesRef ref, double value, TimestampMs time) {
  // One time for all unless the page brought its own.
  if (!context_.times.empty()) context_.times.push_back(time);
  context_.refs.push_back(ref);
  context_.values.push_back(value);
}

void TargetWriter::collect_stale(TimestampMs time) {
  for (SeriesRef ref : context_.stale) add(ref, stale_nan(), time);
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
  if (context_.times.empty()) context_.times.push_back(time);
  return {};
}

Status TargetWriter::append() {
  auto appended = context_.appender.append({context_.refs, context_.values, context_.times});
  if (!appended) return appended.error();
  if (!appended->unknown.empty()) {
    AppendReport report = std::move(*appended);
    if (Status again = append_unknown(report.unknown, report); !again) return again;
    count_refused(report);
    return {};
  }
  count_refused(*appended);
  return {};
}

Status TargetWriter::append_unknown(const std::vector<std::uint32_t>& unknown, AppendReport& total) {
  std::vector<SeriesRef> refs;
  std::vector<double> values;
  std::vector<TimestampMs> times;
  ScrapedPage& page = context_.page;
  const std::size_t report_begin = context_.refs.size() - report_size();
  FamilyTypes types(page);
  for (std::uint32_t i : unknown) {
    SeriesRef ref = kNoSeries;
    if (i < page_samples_) {
      const std::size_t source = context_.sources.empty() ? i : context_.sources[i];
      auto labels = labels_of(page.series_text(source), types.before(source));
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
    values.push_back(context_.values[i]);
    times.push_back(context_.times.size() == 1 ? context_.times[0] : context_.times[i]);
  }
  auto appended = context_.appender.append({refs, values, times});
  if (!appended) return appended.error();
  total.duplicates += appended->duplicates;
  total.out_of_order += appended->out_of_order;
  total.too_old += appended->too_old;
  total.out_of_bounds += appended->out_of_bounds;
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
