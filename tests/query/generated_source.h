#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "storage/queryable.h"

namespace pipit {

/// `series` counters `m{host="h<i>", instance="<i % 100>"}` with `samples` samples 15 s apart from time 0, made up as
/// they are read: as many series as a test or benchmark wants, in no memory. They can be read by several threads.
class GeneratedSource : public Queryable {
 public:
  GeneratedSource(std::size_t series, std::size_t samples) : series_(series) {
    for (std::size_t s = 0; s < samples; ++s) times_.push_back(static_cast<TimestampMs>(s) * 15'000);
    // A series' values begin at one of sixteen places. Their sums depend on the order.
    for (std::size_t s = 0; s < samples + kPlaces; ++s) values_.push_back(static_cast<double>(s * 7 % 400) / 10);
  }

  /// Reading this series fails.
  void set_bad_series(std::size_t series) { bad_series_ = series; }

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

  Result<std::unique_ptr<SharedSelection>> select_shared(const SelectRequest& request,
                                                         SymbolTable& symbols) const override {
    return std::unique_ptr<SharedSelection>(std::make_unique<Selection>(*this, request, symbols));
  }

 private:
  static constexpr std::size_t kPlaces = 16;

  /// The part of a series that a request covers.
  struct Range {
    Range(const GeneratedSource& of, const SelectRequest& request) : source(of) {
      const auto first = std::lower_bound(of.times_.begin(), of.times_.end(), request.min_time);
      const auto past = std::upper_bound(first, of.times_.end(), request.max_time);
      begin = static_cast<std::size_t>(first - of.times_.begin());
      size = static_cast<std::size_t>(past - first);
    }
    std::span<const TimestampMs> times() const { return std::span(source.times_).subspan(begin, size); }
    std::span<const double> values(std::size_t series) const {
      return std::span(source.values_).subspan(begin + series % kPlaces, size);
    }
    const GeneratedSource& source;
    std::size_t begin;
    std::size_t size;
  };

  static LabelSet labels_of(std::size_t series, SymbolTable& symbols) {
    return {{symbols.intern("__name__"), symbols.intern("m")},
            {symbols.intern("host"), symbols.intern("h" + std::to_string(series))},
            {symbols.intern("instance"), symbols.intern(std::to_string(series % 100))}};
  }

  class Cursor : public SeriesCursor {
   public:
    Cursor(const GeneratedSource& source, const SelectRequest& request, SymbolTable& symbols)
        : range_(source, request), symbols_(symbols) {}
    Result<bool> next() override {
      if (range_.size == 0 || at_ == range_.source.series_) return false;
      if (at_ == range_.source.bad_series_) return internal_error("a bad series");
      labels_ = labels_of(at_, symbols_);
      ++at_;
      return true;
    }
    const LabelSet& labels() const override { return labels_; }
    std::span<const TimestampMs> times() const override { return range_.times(); }
    std::span<const double> values() const override { return range_.values(at_ - 1); }

   private:
    Range range_;
    SymbolTable& symbols_;
    std::size_t at_ = 0;
    LabelSet labels_;
  };

  class Selection : public SharedSelection {
   public:
    Selection(const GeneratedSource& source, const SelectRequest& request, SymbolTable& symbols)
        : range_(source, request), symbols_(symbols) {}
    std::unique_ptr<SharedSelection::Reader> reader() override { return std::make_unique<PartReader>(*this); }
    Result<bool> labels(std::uint64_t series, LabelSet& labels) override {
      labels = labels_of(series, symbols_);
      return true;
    }

   private:
    class PartReader : public SharedSelection::Reader {
     public:
      explicit PartReader(Selection& selection) : selection_(selection) {}
      Result<std::size_t> take(std::size_t series) override {
        const Range& range = selection_.range_;
        at_ = selection_.taken_;
        end_ = range.size == 0 ? at_ : std::min(at_ + series, range.source.series_);
        selection_.taken_ = end_;
        return end_ - at_;
      }
      Result<bool> next() override {
        if (at_ == end_) return false;
        if (at_ == selection_.range_.source.bad_series_) return internal_error("a bad series");
        ++at_;
        return true;
      }
      std::uint64_t series() const override { return at_ - 1; }
      std::span<const TimestampMs> times() const override { return selection_.range_.times(); }
      std::span<const double> values() const override { return selection_.range_.values(at_ - 1); }

     private:
      Selection& selection_;
      std::size_t at_ = 0;
      std::size_t end_ = 0;
    };

    Range range_;
    SymbolTable& symbols_;
    std::size_t taken_ = 0;
  };

  std::size_t series_;
  std::vector<TimestampMs> times_;
  std::vector<double> values_;
  std::size_t bad_series_ = ~std::size_t{0};
};

}  // namespace pipit
