#include "api/remote_write_batch.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "model/labels.h"

namespace pipit {
namespace {

constexpr std::string_view kOutOfOrder = "out of order sample";
constexpr std::string_view kDuplicate = "duplicate sample for timestamp";
constexpr std::string_view kTooOld = "too old sample";
constexpr std::string_view kOutOfBounds = "out of bounds";
constexpr std::string_view kNoHistograms = "native histograms are not supported: not stored";
/// What a page says of a metric is a sentence or two; more is an accident or an attack.
constexpr std::size_t kMaxMetadataBytes = 16 << 10;
/// Series that are looked for at once in another form than they were sent.
constexpr std::size_t kMissingAtOnce = 64;
/// Of a series in an error message; clients show about a thousand bytes of an answer.
constexpr std::size_t kShownLabelBytes = 600;

Error malformed(std::size_t position) {
  return bad_data("the body is no prometheus.WriteRequest: malformed protobuf after byte " + std::to_string(position));
}

/// As Prometheus prints a series, duplicates and invalid bytes included.
std::string shown(std::string_view encoding) {
  std::vector<RemoteWriteLabel> labels;
  if (!parse_remote_write_labels(encoding, labels)) return "{}";
  std::string metric;
  std::string text;
  for (const RemoteWriteLabel& label : labels) {
    if (label.name == kMetricName && metric.empty() && is_legacy_metric_name(label.value)) {
      metric = label.value;
      continue;
    }
    text += text.empty() ? "{" : ", ";
    if (is_legacy_label_name(label.name)) {
      text += label.name;
    } else {
      append_quoted(text, label.name);
    }
    text += '=';
    append_quoted(text, label.value);
    if (text.size() > kShownLabelBytes) {
      text.resize(kShownLabelBytes);
      while (!is_valid_utf8(text)) text.pop_back();
      return metric.substr(0, kShownLabelBytes) + text + "...";
    }
  }
  if (!text.empty()) text += '}';
  metric += text;
  return metric.empty() ? "{}" : metric;
}

/// Sorted by name and without empty values, which are the same as no label.
void normalize(std::vector<RemoteWriteLabel>& labels) {
  const auto by_name = [](const RemoteWriteLabel& a, const RemoteWriteLabel& b) { return a.name < b.name; };
  if (!std::is_sorted(labels.begin(), labels.end(), by_name)) std::sort(labels.begin(), labels.end(), by_name);
  std::erase_if(labels, [](const RemoteWriteLabel& label) { return label.value.empty(); });
}

/// As `encode_labels` has them.
void encode(std::span<const RemoteWriteLabel> labels, std::string& out) {
  const auto size_of_length = [](std::size_t length) {
    std::size_t size = 1;
    for (; length >= 0x80; length >>= 7) ++size;
    return size;
  };
  const auto put = [&out](char tag, std::size_t length) {
    out += tag;
    for (; length >= 0x80; length >>= 7) out += static_cast<char>(length | 0x80);
    out += static_cast<char>(length);
  };
  for (const auto& [name, value] : labels) {
    put('\x0a', 2 + size_of_length(name.size()) + name.size() + size_of_length(value.size()) + value.size());
    put('\x0a', name.size());
    out += name;
    put('\x12', value.size());
    out += value;
  }
}

std::vector<Label> copy_of(std::span<const RemoteWriteLabel> labels) {
  std::vector<Label> copy;
  copy.reserve(labels.size());
  for (const auto& [name, value] : labels) copy.push_back({std::string(name), std::string(value)});
  return copy;
}

/// What is wrong with normalized labels, or "". Those of an exemplar need no metric name.
std::string_view fault_of(std::span<const RemoteWriteLabel> labels, bool of_exemplar = false) {
  bool named = of_exemplar;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto& [name, value] = labels[i];
    if (name.empty()) return "empty label name";
    if (!is_valid_utf8(name) || !is_valid_utf8(value)) return "invalid UTF-8";
    if (i > 0 && name == labels[i - 1].name) return "duplicate label name";
    named = named || name == kMetricName;
  }
  return named ? "" : "no metric name";
}

/// Prometheus's wording.
std::string_view words_of(AppendReport::Refusal refusal) {
  switch (refusal) {
    case AppendReport::Refusal::out_of_order:
      return kOutOfOrder;
    case AppendReport::Refusal::too_old:
      return kTooOld;
    case AppendReport::Refusal::out_of_bounds:
      return kOutOfBounds;
    default:
      return kDuplicate;
  }
}

}  // namespace

std::string_view refusal_name(RemoteWriteRefusal refusal) {
  constexpr std::array<std::string_view, kRemoteWriteRefusals> kNames = {
      "out_of_order", "duplicate", "too_old", "out_of_bounds", "invalid_labels", "native_histogram"};
  return kNames[static_cast<std::size_t>(refusal)];
}

std::uint64_t RemoteWriteOutcome::refused_total() const {
  return std::accumulate(refused.begin(), refused.end(), std::uint64_t{0});
}

void RemoteWriteOutcome::refuse(RemoteWriteRefusal why, std::uint64_t samples, std::string_view words,
                                std::string_view labels) {
  refused[static_cast<std::size_t>(why)] += samples;
  if (first_refusal.empty()) first_refusal.append(words).append(" for series ").append(shown(labels));
}

Result<RemoteWriteOutcome> RemoteWriteBatch::store(std::string_view message, TimestampMs latest, Appender& appender,
                                                   ExemplarStore* exemplars) {
  appender_ = &appender;
  latest_ = latest;
  outcome_ = {};
  clear();
  bool has_metadata = false;
  std::uint64_t exemplar_count = 0;
  bool rest_is_good = false;
  RemoteWriteParser parser(message);
  for (RemoteWriteParser::Item item = parser.next(); item != RemoteWriteParser::Item::end; item = parser.next()) {
    if (item == RemoteWriteParser::Item::malformed) return malformed(parser.position());
    if (item == RemoteWriteParser::Item::metadata) {
      has_metadata = true;
      continue;
    }
    exemplar_count += parser.series().exemplar_count;
    RemoteWriteSamples samples(parser.series());
    while (!add_samples(parser.series(), samples)) {
      // More than one append: nothing may be stored before the rest of the message is known to be good.
      if (!rest_is_good && !is_well_formed(parser)) return malformed(parser.position());
      rest_is_good = true;
      if (Status status = flush(); !status.ok()) return status.error();
    }
  }
  if (Status status = flush(); !status.ok()) return status.error();
  if (has_metadata) {
    if (Status status = store_metadata(RemoteWriteParser(message)); !status.ok()) return status.error();
  }
  // After the samples, which make the series.
  const bool keeps_exemplars = exemplars != nullptr && exemplars->enabled();
  if (!keeps_exemplars) outcome_.ignored_exemplars = exemplar_count;
  if (keeps_exemplars && exemplar_count != 0) store_exemplars(RemoteWriteParser(message), *exemplars);
  outcome_.stored_exemplars = exemplar_count - outcome_.ignored_exemplars;
  return std::move(outcome_);
}

/// False when the columns are full; the rest follows when they are empty again.
bool RemoteWriteBatch::add_samples(const RemoteWriteSeries& series, RemoteWriteSamples& samples) {
  const std::size_t begin = times_.size();
  TimestampMs time = 0;
  double value = 0;
  while (times_.size() < kMaxSamples && samples.next(time, value)) {
    if (time > latest_) {
      outcome_.refuse(RemoteWriteRefusal::out_of_bounds, 1, kOutOfBounds, series.labels);
      continue;
    }
    if (!times_.empty() && time != times_.front()) one_time_ = false;
    times_.push_back(time);
    values_.push_back(value);
  }
  if (times_.size() > begin) {
    encodings_.push_back(series.labels);
    first_samples_.push_back(static_cast<std::uint32_t>(begin));
  }
  if (times_.size() == kMaxSamples) return false;
  if (series.histogram_count != 0) {
    outcome_.refuse(RemoteWriteRefusal::native_histogram, series.histogram_count, kNoHistograms, series.labels);
  }
  return true;
}

void RemoteWriteBatch::clear() {
  encodings_.clear();
  first_samples_.clear();
  times_.clear();
  values_.clear();
  one_time_ = true;
}

Status RemoteWriteBatch::flush() {
  Status status = find_series();
  if (status.ok()) status = append(false);
  clear();
  return status;
}

// ---- series --------------------------------------------------------------------------------------------------

Status RemoteWriteBatch::find_series() {
  series_refs_.resize(encodings_.size());
  appender_->find_encoded(encodings_, series_refs_);
  chosen_.clear();
  for (std::size_t i = 0; i < series_refs_.size(); ++i) {
    if (series_refs_[i] == kNoSeries) chosen_.push_back(static_cast<std::uint32_t>(i));
  }
  if (chosen_.empty()) return {};
  const std::span<const std::uint32_t> missing = chosen_;
  for (std::size_t begin = 0; begin < missing.size(); begin += kMissingAtOnce) {
    const std::size_t count = std::min(kMissingAtOnce, missing.size() - begin);
    if (Status status = find_in_another_form(missing.subspan(begin, count)); !status.ok()) return status;
  }
  drop_samples_without_series();
  return {};
}

/// Clients such as vmagent send labels in any order. Sorting them is much cheaper than making `Labels`.
Status RemoteWriteBatch::find_in_another_form(std::span<const std::uint32_t> missing) {
  std::array<std::size_t, kMissingAtOnce> ends;
  std::array<std::string_view, kMissingAtOnce> encodings;
  std::array<SeriesRef, kMissingAtOnce> refs;
  canonical_.clear();
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const std::string_view encoding = encodings_[missing[i]];
    if (!parse_remote_write_labels(encoding, labels_)) {
      return bad_data("the body is no prometheus.WriteRequest: malformed labels");
    }
    normalize(labels_);
    encode(labels_, canonical_);
    ends[i] = canonical_.size();
  }
  for (std::size_t i = 0, begin = 0; i < missing.size(); begin = ends[i++]) {
    encodings[i] = std::string_view(canonical_).substr(begin, ends[i] - begin);
  }
  appender_->find_encoded({encodings.data(), missing.size()}, {refs.data(), missing.size()});
  for (std::size_t i = 0; i < missing.size(); ++i) {
    series_refs_[missing[i]] = refs[i];
    if (refs[i] != kNoSeries) continue;
    if (Status status = create(missing[i], encodings[i]); !status.ok()) return status;
  }
  return {};
}

Status RemoteWriteBatch::create(std::uint32_t series, std::string_view encoding) {
  const std::uint64_t samples = end_of(series) - first_samples_[series];
  parse_remote_write_labels(encoding, labels_);
  if (const std::string_view fault = fault_of(labels_); !fault.empty()) {
    const std::string words = "invalid metric name or labels (" + std::string(fault) + ")";
    outcome_.refuse(RemoteWriteRefusal::invalid_labels, samples, words, encodings_[series]);
    return {};
  }
  const auto ref = appender_->series(Labels(copy_of(labels_)));
  if (ref.ok()) {
    series_refs_[series] = *ref;
  } else if (ref.error().kind == ErrorKind::bad_data) {
    outcome_.refuse(RemoteWriteRefusal::invalid_labels, samples, ref.error().message, encodings_[series]);
  } else {
    return ref.error();
  }
  return {};
}

void RemoteWriteBatch::drop_samples_without_series() {
  if (std::find(series_refs_.begin(), series_refs_.end(), kNoSeries) == series_refs_.end()) return;
  chosen_.clear();
  for (std::size_t i = 0; i < series_refs_.size(); ++i) {
    if (series_refs_[i] == kNoSeries) continue;
    for (std::uint32_t sample = first_samples_[i]; sample < end_of(i); ++sample) chosen_.push_back(sample);
  }
  keep(chosen_);
}

std::uint32_t RemoteWriteBatch::end_of(std::size_t series) const {
  return series + 1 < first_samples_.size() ? first_samples_[series + 1] : static_cast<std::uint32_t>(times_.size());
}

std::uint32_t RemoteWriteBatch::series_of(std::uint32_t sample) const {
  const auto after = std::upper_bound(first_samples_.begin(), first_samples_.end(), sample);
  return static_cast<std::uint32_t>(after - first_samples_.begin() - 1);
}

void RemoteWriteBatch::keep(std::span<const std::uint32_t> samples) {
  std::size_t kept_series = 0;
  std::uint32_t series = 0;
  std::uint32_t end = end_of(0);
  bool started = false;  // the series has a kept sample
  for (std::uint32_t i = 0; i < samples.size(); ++i) {
    while (samples[i] >= end) {
      started = false;
      end = end_of(++series);
    }
    if (!started) {
      encodings_[kept_series] = encodings_[series];
      series_refs_[kept_series] = series_refs_[series];
      first_samples_[kept_series++] = i;
      started = true;
    }
    times_[i] = times_[samples[i]];
    values_[i] = values_[samples[i]];
  }
  encodings_.resize(kept_series);
  series_refs_.resize(kept_series);
  first_samples_.resize(kept_series);
  times_.resize(samples.size());
  values_.resize(samples.size());
}

// ---- samples -------------------------------------------------------------------------------------------------

Status RemoteWriteBatch::append(bool again) {
  if (times_.empty()) return {};
  std::span<const SeriesRef> refs = series_refs_;
  if (times_.size() != series_refs_.size()) {
    refs_.clear();
    for (std::size_t i = 0; i < series_refs_.size(); ++i) {
      refs_.insert(refs_.end(), end_of(i) - first_samples_[i], series_refs_[i]);
    }
    refs = refs_;
  }
  const std::span<const TimestampMs> times(times_.data(), one_time_ ? 1 : times_.size());
  const auto report = appender_->append({refs, values_, times});
  if (!report.ok()) return report.error();
  take_over(*report);
  if (report->unknown.empty()) return {};
  // They left RAM after they were found.
  if (again) return Error{ErrorKind::unavailable, "series leave memory faster than samples come, send them again"};
  keep(report->unknown);
  Status status = find_series();
  return status.ok() ? append(true) : status;
}

void RemoteWriteBatch::take_over(const AppendReport& report) {
  using enum RemoteWriteRefusal;
  outcome_.stored += report.stored;
  if (report.first_refusal == AppendReport::Refusal::none) return;
  const std::string_view labels = encodings_[series_of(report.first_refused)];
  outcome_.refuse(out_of_order, 0, words_of(report.first_refusal), labels);
  outcome_.refused[static_cast<std::size_t>(out_of_order)] += report.out_of_order;
  outcome_.refused[static_cast<std::size_t>(duplicate)] += report.duplicates;
  outcome_.refused[static_cast<std::size_t>(too_old)] += report.too_old;
  outcome_.refused[static_cast<std::size_t>(out_of_bounds)] += report.out_of_bounds;
}

Status RemoteWriteBatch::store_metadata(RemoteWriteParser parser) {
  for (RemoteWriteParser::Item item = parser.next(); item != RemoteWriteParser::Item::end; item = parser.next()) {
    if (item != RemoteWriteParser::Item::metadata) continue;
    const auto& [type, metric, help, unit] = parser.metadata();
    const bool valid = !metric.empty() && is_valid_utf8(metric) && is_valid_utf8(help) && is_valid_utf8(unit);
    if (!valid || metric.size() + help.size() + unit.size() > kMaxMetadataBytes) continue;
    const Metadata metadata{type, std::string(help), std::string(unit)};
    if (Status status = appender_->set_metadata(metric, metadata); !status.ok()) return status;
  }
  return {};
}

// ---- exemplars -----------------------------------------------------------------------------------------------

void RemoteWriteBatch::store_exemplars(RemoteWriteParser parser, ExemplarStore& exemplars) {
  for (RemoteWriteParser::Item item = parser.next(); item != RemoteWriteParser::Item::end; item = parser.next()) {
    if (item != RemoteWriteParser::Item::series || parser.series().exemplar_count == 0) continue;
    store_exemplars_of(parser.series(), exemplars);
  }
}

/// Prometheus sends them beside their series' samples, as a series of the same labels that has no samples.
void RemoteWriteBatch::store_exemplars_of(const RemoteWriteSeries& series, ExemplarStore& exemplars) {
  canonical_.clear();
  SeriesRef ref = kNoSeries;
  if (parse_remote_write_labels(series.labels, labels_)) {
    normalize(labels_);
    encode(labels_, canonical_);
    const std::string_view encoding = canonical_;
    appender_->find_encoded({&encoding, 1}, {&ref, 1});
  }
  if (ref == kNoSeries) {
    outcome_.ignored_exemplars += series.exemplar_count;
    return;
  }
  const auto series_labels = [this] { return Labels(copy_of(labels_)); };
  std::string_view rest = series.from_first_exemplar;
  while (read_remote_write_exemplar(rest, exemplar_)) {
    normalize(exemplar_.labels);
    auto outcome = ExemplarStore::Outcome::disabled;
    if (exemplar_.time <= latest_ && fault_of(exemplar_.labels, true).empty()) {
      outcome = exemplars.add(ref, series_labels, {Labels(copy_of(exemplar_.labels)), exemplar_.value, exemplar_.time});
    }
    const bool kept = outcome == ExemplarStore::Outcome::stored || outcome == ExemplarStore::Outcome::duplicate;
    if (!kept) ++outcome_.ignored_exemplars;
  }
}

}  // namespace pipit
