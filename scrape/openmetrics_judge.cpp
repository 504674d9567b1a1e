// Source of the rules: the OpenMetrics 1.0 specification, and its conformance tests where it leaves doubt.

#include "scrape/openmetrics_judge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>

#include "model/number.h"
#include "model/sample.h"
#include "scrape/openmetrics.h"
#include "scrape/sample_value.h"

namespace pipit {
namespace {

constexpr std::size_t kLongestExemplar = 128;  ///< characters of its names and values together

std::span<const std::string_view> suffixes_of(MetricType type) {
  static constexpr std::string_view kCounter[] = {"_total", "_created"};
  static constexpr std::string_view kHistogram[] = {"_bucket", "_count", "_sum", "_created"};
  static constexpr std::string_view kGaugeHistogram[] = {"_bucket", "_gcount", "_gsum"};
  static constexpr std::string_view kSummary[] = {"", "_count", "_sum", "_created"};
  static constexpr std::string_view kInfo[] = {"_info"};
  static constexpr std::string_view kPlain[] = {""};
  switch (type) {
    case MetricType::counter:
      return kCounter;
    case MetricType::histogram:
      return kHistogram;
    case MetricType::gaugehistogram:
      return kGaugeHistogram;
    case MetricType::summary:
      return kSummary;
    case MetricType::info:
      return kInfo;
    default:
      return kPlain;
  }
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// Of the samples of a histogram with the same labels and time.
struct HistogramState {
  std::optional<double> bound;  ///< of the last bucket
  double value = 0;             ///< of the last bucket
  std::optional<double> count;
  bool has_sum = false;
  bool has_negative_bound = false;
  bool has_negative_sum = false;
};

struct SampleLine {
  const char* at;
  std::string name;
  std::vector<Label> labels;  ///< without the name
  std::string_view suffix;    ///< of the name behind the family's
  SampleTail tail;
};

class Judge {
 public:
  explicit Judge(PageJudgement& judgement) : judgement_(judgement) {}

  void take(const MetadataLine& line) {
    const std::string name = unescape_text(line.metric, true);
    const char* at = line.metric.data();
    if (!named_ || name != family_.name) {
      end_family();
      begin_family(name, at);
    } else if (family_.has_samples) {
      fault(at, "metadata of " + name + " after its samples");
    }
    switch (line.kind) {
      case MetadataLine::Kind::type:
        if (std::exchange(family_.has_type, true)) fault(at, "more than one TYPE for " + name);
        family_.type = line.type;
        break;
      case MetadataLine::Kind::help:
        if (std::exchange(family_.has_help, true)) fault(at, "more than one HELP for " + name);
        break;
      case MetadataLine::Kind::unit:
        if (std::exchange(family_.has_unit, true)) fault(at, "more than one UNIT for " + name);
        family_.unit = line.text;
        break;
    }
  }

  void take(SampleLine& sample) {
    if (!named_ || !find_suffix(sample)) {
      end_family();
      begin_family(sample.name, sample.at);
      sample.suffix = "";
    }
    family_.has_samples = true;
    check_labels(sample);
    check_group(sample);
    check_value(sample);
    check_exemplar(sample);
    if (is_histogram()) check_histogram(sample);
  }

  void end_family() {
    if (!std::exchange(named_, false)) return;
    end_histogram();
    claim_names();
    const bool has_no_unit = family_.type == MetricType::info || family_.type == MetricType::stateset;
    if (!family_.unit.empty() && has_no_unit) {
      fault(family_.at, "a metric of type " + std::string(metric_type_name(family_.type)) + " has no unit");
    }
  }

  void fault(const char* at, std::string what) {
    ++judgement_.meaning_count;
    if (judgement_.meaning.size() < PageJudgement::kMostFaults) judgement_.meaning.push_back({at, std::move(what)});
  }

 private:
  struct Family {
    std::string name;
    const char* at = nullptr;
    MetricType type = MetricType::unknown;
    std::string_view unit;
    bool has_type = false;
    bool has_help = false;
    bool has_unit = false;
    bool has_samples = false;
  };

  void begin_family(const std::string& name, const char* at) {
    named_ = true;
    family_ = {};
    family_.name = name;
    family_.at = at;
    groups_.clear();
    group_.reset();
    group_time_.reset();
  }

  /// A family's names are its own on the whole page.
  void claim_names() {
    std::set<std::string> names = {family_.name};
    for (const std::string_view suffix : suffixes_of(family_.type)) names.insert(family_.name + std::string(suffix));
    std::string clash;
    for (const std::string& name : names) {
      if (!own_.insert(name).second && clash.empty()) clash = name;
    }
    if (clash.empty()) return;
    fault(family_.at, "the name " + clash + " is that of another metric of the page, or its samples are not together");
  }

  bool is_histogram() const {
    return family_.type == MetricType::histogram || family_.type == MetricType::gaugehistogram;
  }

  bool find_suffix(SampleLine& sample) const {
    const std::string_view name = sample.name;
    if (!name.starts_with(family_.name)) return false;
    const auto suffixes = suffixes_of(family_.type);
    const auto found = std::find(suffixes.begin(), suffixes.end(), name.substr(family_.name.size()));
    if (found == suffixes.end()) return false;
    sample.suffix = *found;
    return true;
  }

  static const std::string* find_label(const SampleLine& sample, std::string_view name) {
    const auto found = std::find_if(sample.labels.begin(), sample.labels.end(),
                                    [&](const Label& label) { return label.name == name; });
    return found == sample.labels.end() ? nullptr : &found->value;
  }

  void check_labels(const SampleLine& sample) {
    std::set<std::string_view> names;
    for (const Label& label : sample.labels) {
      if (!names.insert(label.name).second) fault(sample.at, "label name \"" + label.name + "\" is not unique");
    }
    if (is_histogram() && sample.suffix == "_bucket") {
      const std::string* bound = find_label(sample, "le");
      const auto number = bound == nullptr ? std::optional<double>() : parse_float(*bound);
      if (!number || std::isnan(*number) || (*number == kInfinity && *bound != "+Inf")) {
        fault(sample.at, "a bucket needs a number in its label le");
      }
    }
    if (family_.type == MetricType::summary && sample.suffix.empty()) {
      const std::string* quantile = find_label(sample, "quantile");
      const auto number = quantile == nullptr ? std::optional<double>() : parse_float(*quantile);
      if (!number || !(*number >= 0 && *number <= 1)) {
        fault(sample.at, "a summary's sample needs a number from 0 to 1 in its label quantile");
      }
    }
    if (family_.type == MetricType::stateset && find_label(sample, family_.name) == nullptr) {
      fault(sample.at, "a stateset's sample needs a label of the name " + family_.name);
    }
  }

  /// Samples that differ in the label that the type itself sets are one metric: its group.
  Labels group_of(const SampleLine& sample) const {
    Labels group(sample.labels);
    if (family_.type == MetricType::summary && sample.suffix.empty()) group.remove("quantile");
    if (family_.type == MetricType::stateset) group.remove(family_.name);
    if (is_histogram() && sample.suffix == "_bucket") group.remove("le");
    return group;
  }

  void check_group(const SampleLine& sample) {
    Labels group = group_of(sample);
    const std::optional<TimestampMs> time =
        sample.tail.has_time ? std::optional<TimestampMs>(sample.tail.time) : std::nullopt;
    const bool same_group = group_ && *group_ == group;
    const bool same_time = same_group && group_time_ == time;
    if (!same_time) end_histogram();
    if (same_group) {
      if (time.has_value() != group_time_.has_value()) {
        fault(sample.at, "some samples of a metric have timestamps and some have none");
      } else if (time && *time < *group_time_) {
        fault(sample.at, "timestamps of a metric go backwards");
      } else if (!same_time) {
        series_.clear();
      }
    } else {
      if (!groups_.insert(group).second) fault(sample.at, "the samples of a metric are not together");
      series_.clear();
    }
    Labels series(sample.labels);
    series.set(kMetricName, sample.name);
    if (!series_.insert(std::move(series)).second && !time) fault(sample.at, "the series occurs twice");
    group_ = std::move(group);
    group_time_ = time;
  }

  void check_value(const SampleLine& sample) {
    const double value = sample.tail.value;
    const std::string_view suffix = sample.suffix;
    if (family_.type == MetricType::stateset && value != 0 && value != 1) {
      fault(sample.at, "a stateset's value must be 0 or 1");
    }
    if (family_.type == MetricType::info && value != 1) fault(sample.at, "an info's value must be 1");
    if (family_.type == MetricType::summary && suffix.empty() && value < 0) {
      fault(sample.at, "a quantile cannot be negative");
    }
    static constexpr std::string_view kCounting[] = {"_total", "_sum", "_count", "_bucket", "_gcount"};
    const bool counts =
        !suffix.empty() && std::find(std::begin(kCounting), std::end(kCounting), suffix) != std::end(kCounting);
    if ((counts || suffix == "_gsum") && std::isnan(value)) fault(sample.at, "a value that counts cannot be NaN");
    if (counts && value < 0) fault(sample.at, "a value that counts cannot be negative");
    const bool is_whole = suffix == "_count" || suffix == "_bucket" || suffix == "_gcount";
    if (is_whole && std::isfinite(value) && value != std::floor(value)) {
      fault(sample.at, "a count must be a whole number");
    }
  }

  void check_exemplar(const SampleLine& sample) {
    if (!sample.tail.has_exemplar) return;
    const bool allowed = (is_histogram() && sample.suffix == "_bucket") ||
                         (family_.type == MetricType::counter && sample.suffix == "_total");
    if (!allowed) fault(sample.at, "only buckets and totals have exemplars");
    const std::string_view braces = sample.tail.exemplar.labels;
    std::size_t characters = 0;
    for (const Label& label : parse_series(braces)) {
      if (label.name != kMetricName) characters += count_characters(label.name) + count_characters(label.value);
    }
    if (characters > kLongestExemplar) {
      fault(braces.data(), "the labels of an exemplar have " + std::to_string(characters) + " characters, more than " +
                               std::to_string(kLongestExemplar));
    }
  }

  // ---- histograms ----------------------------------------------------------------------------------------------

  void check_histogram(const SampleLine& sample) {
    if (!histogram_) {
      histogram_.emplace();
      histogram_at_ = sample.at;
    }
    HistogramState& state = *histogram_;
    const double value = sample.tail.value;
    if (sample.suffix == "_count" || sample.suffix == "_gcount") {
      state.count = value;
    } else if (sample.suffix == "_sum" || sample.suffix == "_gsum") {
      state.has_sum = true;
      state.has_negative_sum = value < 0;
    } else if (sample.suffix == "_bucket") {
      const std::string* bound = find_label(sample, "le");
      const auto number = bound == nullptr ? std::optional<double>() : parse_float(*bound);
      if (!number || std::isnan(*number) || (*number == kInfinity && *bound != "+Inf")) return;
      if (*number < 0) state.has_negative_bound = true;
      if (state.bound && *number <= *state.bound) fault(sample.at, "buckets are out of order");
      if (state.bound && value < state.value) fault(sample.at, "a bucket has less than the one before it");
      state.bound = number;
      state.value = value;
    }
  }

  void end_histogram() {
    if (!histogram_) return;
    const HistogramState state = *std::exchange(histogram_, std::nullopt);
    const bool is_gauge = family_.type == MetricType::gaugehistogram;
    const std::string sum = is_gauge ? "_gsum" : "_sum";
    const std::string count = is_gauge ? "_gcount" : "_count";
    if (state.bound != kInfinity) fault(histogram_at_, "the bucket le=\"+Inf\" is missing");
    if (state.bound && state.count && *state.count != state.value) {
      fault(histogram_at_, count + " is not what the bucket le=\"+Inf\" has");
    }
    if (state.has_sum && !state.count) fault(histogram_at_, count + " is missing beside " + sum);
    if (!state.has_sum && state.count) fault(histogram_at_, sum + " is missing beside " + count);
    if (!is_gauge && state.has_negative_bound && state.has_sum) {
      fault(histogram_at_, "a histogram with negative buckets has no _sum");
    }
    if (is_gauge && !state.has_negative_bound && state.has_negative_sum) {
      fault(histogram_at_, "_gsum is negative without negative buckets");
    }
  }

  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  PageJudgement& judgement_;
  std::unordered_set<std::string> own_;  ///< names of the families before
  bool named_ = false;
  Family family_;
  std::set<Labels> groups_;  ///< of the family
  std::optional<Labels> group_;
  std::optional<TimestampMs> group_time_;
  std::set<Labels> series_;  ///< of the group and time
  std::optional<HistogramState> histogram_;
  const char* histogram_at_ = nullptr;
};

}  // namespace

PageJudgement judge_openmetrics(std::string_view page) {
  PageJudgement judgement;
  Judge judge(judgement);
  const char* p = page.data();
  const char* const end = p + page.size();
  std::vector<MetadataLine> lines;
  for (;;) {
    lines.clear();
    SeriesText series;
    PageFault fault;
    const bool scanned = scan_openmetrics_series(p, end, lines, series, fault);
    for (const MetadataLine& line : lines) judge.take(line);
    if (!scanned) {
      judgement.syntax = std::move(fault);
      return judgement;
    }
    if (series.begin == nullptr) break;
    SampleLine sample;
    sample.at = series.begin;
    const std::string_view text(series.begin, series.end);
    p = parse_openmetrics_tail(text, series.end + 1, end, sample.tail, fault);
    if (p == nullptr) {
      judgement.syntax = std::move(fault);
      return judgement;
    }
    sample.labels = parse_series(text);
    sample.name = std::move(sample.labels.front().value);
    sample.labels.erase(sample.labels.begin());
    judge.take(sample);
  }
  judge.end_family();
  return judgement;
}

}  // namespace pipit
