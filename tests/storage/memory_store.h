#pragma once

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/appender.h"
#include "storage/queryable.h"

namespace pipit {

/// The store's two interfaces over plain vectors, for tests: the same rules for duplicates and order, no retention, no
/// disk. Slow and obvious on purpose. Thread-safe.
class MemoryStore final : public Appender, public Queryable {
 public:
  // Appender
  Result<SeriesRef> series(const Labels& labels) override {
    if (labels.metric_name().empty()) return bad_data("a series needs a metric name: " + labels.to_string());
    std::lock_guard lock(mutex_);
    auto [found, is_new] = refs_.try_emplace(labels, all_.size() + 1);
    if (is_new) all_.push_back({labels, {}, {}});
    return found->second;
  }

  void find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const override {
    std::lock_guard lock(mutex_);
    std::fill(refs.begin(), refs.end(), kNoSeries);
    for (const auto& [labels, ref] : refs_) {
      std::string encoded;
      encode_labels(labels, encoded);
      for (std::size_t i = 0; i < encodings.size(); ++i) {
        if (encodings[i] == encoded) refs[i] = ref;
      }
    }
  }

  Result<AppendReport> append(const AppendBatch& batch) override {
    std::lock_guard lock(mutex_);
    AppendReport report;
    for (std::size_t i = 0; i < batch.refs.size(); ++i) {
      const TimestampMs time = batch.times.size() == 1 ? batch.times[0] : batch.times[i];
      if (batch.refs[i] == kNoSeries || batch.refs[i] > all_.size()) {
        report.unknown.push_back(static_cast<std::uint32_t>(i));
      } else {
        append_one(all_[batch.refs[i] - 1], time, batch.values[i], static_cast<std::uint32_t>(i), report);
      }
    }
    return report;
  }

  Status set_metadata(std::string_view metric, const Metadata& metadata) override {
    std::lock_guard lock(mutex_);
    metadata_[std::string(metric)] = metadata;
    return {};
  }

  /// Series and one sample in a single call, for tests that care about data and not about handles.
  void add(const Labels& labels, TimestampMs time, double value) {
    const SeriesRef ref = series(labels).value();
    (void)append({{&ref, 1}, {&value, 1}, {&time, 1}}).value();
  }

  // Queryable
  Result<std::unique_ptr<SeriesCursor>> select(const SelectRequest& request, SymbolTable& symbols) const override {
    std::lock_guard lock(mutex_);
    auto cursor = std::make_unique<Cursor>(request.canceled);
    for (const Series& series : all_) {
      if (!matches(series.labels, request.matchers)) continue;
      Found found;
      for (std::size_t i = 0; i < series.times.size(); ++i) {
        if (series.times[i] < request.min_time || series.times[i] > request.max_time) continue;
        found.times.push_back(series.times[i]);
        found.values.push_back(series.values[i]);
      }
      if (found.times.empty()) continue;
      for (const Label& label : series.labels) {
        found.labels.push_back({symbols.intern(label.name), symbols.intern(label.value)});
      }
      cursor->found.push_back(std::move(found));
    }
    return std::unique_ptr<SeriesCursor>(std::move(cursor));
  }

  Result<std::vector<std::string>> label_names(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                               std::size_t limit) const override {
    std::lock_guard lock(mutex_);
    std::set<std::string> names;
    for_each_matching(matcher_sets, min_time, max_time, [&](const Labels& labels) {
      for (const Label& label : labels) names.insert(label.name);
    });
    return first_of(names, limit);
  }

  Result<std::vector<std::string>> label_values(std::string_view name, MatcherSets matcher_sets, TimestampMs min_time,
                                                TimestampMs max_time, std::size_t limit) const override {
    std::lock_guard lock(mutex_);
    std::set<std::string> values;
    for_each_matching(matcher_sets, min_time, max_time, [&](const Labels& labels) {
      if (labels.has(name)) values.emplace(labels.get(name));
    });
    return first_of(values, limit);
  }

  Result<std::vector<Labels>> series(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                     std::size_t limit) const override {
    std::lock_guard lock(mutex_);
    std::set<Labels> found;
    for_each_matching(matcher_sets, min_time, max_time, [&](const Labels& labels) { found.insert(labels); });
    return first_of(found, limit);
  }

  Result<std::vector<MetricMetadata>> metadata(std::string_view metric, std::size_t limit) const override {
    std::lock_guard lock(mutex_);
    std::vector<MetricMetadata> found;
    for (const auto& [name, value] : metadata_) {
      if (!metric.empty() && name != metric) continue;
      if (limit != 0 && found.size() == limit) break;
      found.push_back({name, value});
    }
    return found;
  }

 private:
  struct Series {
    Labels labels;
    std::vector<TimestampMs> times;
    std::vector<double> values;
  };
  struct Found {
    LabelSet labels;
    std::vector<TimestampMs> times;
    std::vector<double> values;
  };

  class Cursor final : public SeriesCursor {
   public:
    explicit Cursor(const std::atomic<bool>* canceled) : canceled_(canceled) {}
    Result<bool> next() override {
      if (canceled_ != nullptr && canceled_->load()) return Error{ErrorKind::canceled, "query was canceled"};
      return ++position_ < found.size() + 1;
    }
    const LabelSet& labels() const override { return found[position_ - 1].labels; }
    std::span<const TimestampMs> times() const override { return found[position_ - 1].times; }
    std::span<const double> values() const override { return found[position_ - 1].values; }

    std::vector<Found> found;

   private:
    const std::atomic<bool>* canceled_;
    std::size_t position_ = 0;  // one past the current
  };

  static void append_one(Series& series, TimestampMs time, double value, std::uint32_t index, AppendReport& report) {
    if (series.times.empty() || time > series.times.back()) {
      series.times.push_back(time);
      series.values.push_back(value);
      ++report.stored;
    } else if (time < series.times.back()) {
      report.refuse(AppendReport::Refusal::out_of_order, index);
    } else if (std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(series.values.back())) {
      ++report.stored;
    } else {
      report.refuse(AppendReport::Refusal::duplicate, index);
    }
  }

  static bool matches(const Labels& labels, std::span<const Matcher> matchers) {
    return std::ranges::all_of(matchers, [&](const Matcher& m) { return m.matches(labels.get(m.name())); });
  }

  template <class Visit>
  void for_each_matching(MatcherSets sets, TimestampMs min_time, TimestampMs max_time, Visit visit) const {
    for (const Series& series : all_) {
      const bool in_range =
          std::ranges::any_of(series.times, [&](TimestampMs t) { return t >= min_time && t <= max_time; });
      const bool wanted =
          sets.empty() || std::ranges::any_of(sets, [&](const auto& set) { return matches(series.labels, set); });
      if (in_range && wanted) visit(series.labels);
    }
  }

  template <class T>
  static std::vector<T> first_of(const std::set<T>& all, std::size_t limit) {
    const std::size_t n = limit == 0 ? all.size() : std::min(limit, all.size());
    return {all.begin(), std::next(all.begin(), static_cast<std::ptrdiff_t>(n))};
  }

  mutable std::mutex mutex_;
  std::vector<Series> all_;
  std::map<Labels, SeriesRef> refs_;
  std::map<std::string, Metadata> metadata_;
};

}  // namespace pipit
