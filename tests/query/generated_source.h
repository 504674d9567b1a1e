#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "storage/queryable.h"

namespace pipit {

/// `series` counters `m{host="h<i>", instance="<i % 100>"}` with `samples` samples 15 s apart from time 0, made up as
/// they are read: as many series as a test or benchmark wants, in no memory.
class GeneratedSource : public Queryable {
 public:
  GeneratedSource(std::size_t series, std::size_t samples) : series_(series) {
    for (std::size_t s = 0; s < samples; ++s) {
      times_.push_back(static_cast<TimestampMs>(s) * 15'000);
      values_.push_back(static_cast<double>(s * 7 % 400));
    }
  }

  Result<std::unique_ptr<SeriesCursor>> select(const SelectRequest& request, SymbolTable& symbols) const override {
    return std::unique_ptr<SeriesCursor>(std::make_unique<Cursor>(*this, request, symbols));
  }
  Result<std::vector<std::string>> label_names(MatcherSets, TimestampMs, TimestampMs, std::size_t) const override {
    return std::vector<std::string>();
  }
  Result<std::vector<std::string>> label_values(std::string_view, MatcherSets, TimestampMs, TimestampMs,
                                                std::size_t) const override {
    return std::vector<std::string>();
  }
  Result<std::vector<Labels>> series(MatcherSets, TimestampMs, TimestampMs, std::size_t) const override {
    return std::vector<Labels>();
  }
  Result<std::vector<MetricMetadata>> metadata(std::string_view, std::size_t) const override {
    return std::vector<MetricMetadata>();
  }

 private:
  class Cursor : public SeriesCursor {
   public:
    Cursor(const GeneratedSource& source, const SelectRequest& request, SymbolTable& symbols)
        : source_(source), symbols_(symbols) {
      auto first = std::lower_bound(source.times_.begin(), source.times_.end(), request.min_time);
      auto past = std::upper_bound(first, source.times_.end(), request.max_time);
      auto skip = static_cast<std::size_t>(first - source.times_.begin());
      times_ = std::span(source.times_).subspan(skip, static_cast<std::size_t>(past - first));
      values_ = std::span(source.values_).subspan(skip, times_.size());
    }
    Result<bool> next() override {
      if (times_.empty() || at_ == source_.series_) return false;
      labels_ = {{symbols_.intern("__name__"), symbols_.intern("m")},
                 {symbols_.intern("host"), symbols_.intern("h" + std::to_string(at_))},
                 {symbols_.intern("instance"), symbols_.intern(std::to_string(at_ % 100))}};
      ++at_;
      return true;
    }
    const LabelSet& labels() const override { return labels_; }
    std::span<const TimestampMs> times() const override { return times_; }
    std::span<const double> values() const override { return values_; }

   private:
    const GeneratedSource& source_;
    SymbolTable& symbols_;
    std::span<const TimestampMs> times_;
    std::span<const double> values_;
    std::size_t at_ = 0;
    LabelSet labels_;
  };

  std::size_t series_;
  std::vector<TimestampMs> times_;
  std::vector<double> values_;
};

}  // namespace pipit
