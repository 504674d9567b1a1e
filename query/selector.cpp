#include "query/selector.h"

#include <algorithm>
#include <bit>

#include "model/vectorized.h"
#include "query/series_scan.h"
#include "storage/partial_selection.h"

namespace pipit {
namespace {

bool any_stale_marker(std::span<const double> values) {
  return vectorized([ data = values.data(), size = values.size() ]() __attribute__((always_inline)) {
    constexpr std::size_t kLanes = 64;
    std::size_t s = 0;
    for (; s + kLanes <= size; s += kLanes) {
      std::int64_t markers = 0;
      for (std::size_t k = 0; k < kLanes; ++k) markers += is_stale_nan(data[s + k]) ? 1 : 0;
      if (markers != 0) return true;
    }
    for (; s < size; ++s) {
      if (is_stale_nan(data[s])) return true;
    }
    return false;
  });
}

/// The newest sample of each step's window, unless it is a stale marker.
class NewestSamples : public RowFunction {
 public:
  NewestSamples(const StepGrid& grid, const RangeWindow& window, SelectorValue value, SampleCount::Scope& count)
      : value_(value), count_(count) {
    windows_.grid = grid;
    windows_.window = window;
  }

  Status compute(std::span<const TimestampMs> times, std::span<const double> values, RowOut out) override {
    windows_.assign(times, values);
    if (windows_.generation != generation_) find_newest();
    if (mask_first(covered_.data(), covered_.size()) >= newest_.size()) return {};
    std::copy(covered_.begin(), covered_.end(), out.mask);
    for (std::size_t i = 0; i < newest_.size(); ++i) out.values[i] = values[newest_[i]];
    if (any_stale_marker({out.values, newest_.size()})) {
      for (std::size_t i = 0; i < newest_.size(); ++i) {
        if (is_stale_nan(out.values[i])) mask_clear(out.mask, i);
      }
    }
    count_.add(mask_count(out.mask, covered_.size()));
    if (value_ == SelectorValue::timestamp) {
      for (std::size_t i = 0; i < newest_.size(); ++i) out.values[i] = static_cast<double>(times[newest_[i]]) / 1000;
    }
    return {};
  }

 private:
  /// Where each step's newest sample is, and which steps have one; the others point at any.
  void find_newest() {
    generation_ = windows_.generation;
    newest_.assign(windows_.steps(), 0);
    covered_.assign(mask_words(windows_.steps()), 0);
    for (std::size_t i = 0; i < windows_.steps(); ++i) {
      if (windows_.lo[i] >= windows_.hi[i]) continue;
      newest_[i] = windows_.hi[i] - 1;
      mask_set(covered_.data(), i);
    }
  }

  Windows windows_;
  SelectorValue value_;
  SampleCount::Scope& count_;
  std::uint64_t generation_ = 0;
  std::vector<std::uint32_t> newest_;
  std::vector<MaskWord> covered_;
};

class RangeSelectorStream : public SampleStream {
 public:
  RangeSelectorStream(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                      const RangeWindow& window)
      : context_(context), request_(request_of(context, selector, grid, window)) {}

  bool next() override {
    while (next_series()) {
      samples_.assign(cursor_->times(), cursor_->values());
      if (samples_.times().empty()) continue;
      labels_.labels = cursor_->labels();
      return true;
    }
    return false;
  }
  const RowLabels& labels() const override { return labels_; }
  std::span<const TimestampMs> times() const override { return samples_.times(); }
  std::span<const double> values() const override { return samples_.values(); }

 private:
  bool next_series() {
    if (at_end_ || !context_.check()) return false;
    if (!cursor_) {
      auto opened = context_.source().select(request_, context_.symbols());
      if (!opened.ok()) return fail(opened.error());
      cursor_ = std::move(*opened);
      if (const auto* partial = dynamic_cast<const PartialSelection*>(cursor_.get())) {
        for (const std::string& warning : partial->warnings()) context_.annotations().warn(warning, {});
      }
    }
    auto more = cursor_->next();
    if (!more.ok()) return fail(more.error());
    at_end_ = !*more;
    return !at_end_ && context_.pass_by(cursor_->times().size(), cursor_->times().size());
  }

  bool fail(const Error& error) {
    // The store says that it was canceled in its own words.
    if (context_.check()) context_.fail(error);
    return false;
  }

  QueryContext& context_;
  SelectRequest request_;
  std::unique_ptr<SeriesCursor> cursor_;
  bool at_end_ = false;
  RowLabels labels_;
  WithoutStaleMarkers samples_;
};

}  // namespace

SelectRequest request_of(const QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                         const RangeWindow& window) {
  SelectRequest request;
  request.matchers = selector.matchers;
  request.min_time = window.end(grid.start) - window.range - window.before + 1;
  request.max_time = window.end(grid.last()) + window.after;
  request.canceled = context.request().canceled;
  return request;
}

void WithoutStaleMarkers::assign(std::span<const TimestampMs> times, std::span<const double> values) {
  times_ = times;
  values_ = values;
  if (!any_stale_marker(values)) return;
  kept_times_.clear();
  kept_values_.clear();
  for (std::size_t s = 0; s < values.size(); ++s) {
    if (is_stale_nan(values[s])) continue;
    kept_times_.push_back(times[s]);
    kept_values_.push_back(values[s]);
  }
  times_ = kept_times_;
  values_ = kept_values_;
}

OperatorPtr make_vector_selector(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                                 const RangeWindow& window, SelectorValue value, SelectorNeeds needs) {
  SeriesScan scan = scan_of(selector, grid, window);
  scan.labels = needs.labels != SelectorNeeds::Labels::none;
  scan.name_only = needs.labels == SelectorNeeds::Labels::name;
  scan.values = needs.values;
  scan.newest_only = grid.count == 1 && window.after == 0;
  scan.drop_name = value == SelectorValue::timestamp;
  SampleCount::Scope& count = context.sample_count().current();
  scan.make_function = [=, &count] { return std::make_unique<NewestSamples>(grid, window, value, count); };
  return make_series_scan(context, std::move(scan));
}

SampleStreamPtr make_range_selector(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                                    const RangeWindow& window) {
  return std::make_unique<RangeSelectorStream>(context, selector, grid, window);
}

}  // namespace pipit
