#include "query/selector.h"

#include <algorithm>

namespace pipit {
namespace {

/// Opens the store's cursor over all that the windows of a grid cover, and passes its errors on to the query.
class SelectorCursor {
 public:
  SelectorCursor(QueryContext& context, const VectorSelector& selector, const StepGrid& grid, const RangeWindow& window,
                 bool labels, bool newest_only)
      : context_(context) {
    request_.labels = labels;
    request_.newest_only = newest_only;
    request_.matchers = selector.matchers;
    request_.min_time = window.end(grid.start) - window.range - window.before + 1;
    request_.max_time = window.end(grid.last()) + window.after;
    request_.canceled = context.request().canceled;
  }

  bool next() {
    if (at_end_ || !context_.check()) return false;
    if (!cursor_) {
      auto opened = context_.source().select(request_, context_.symbols());
      if (!opened.ok()) return fail(opened.error());
      cursor_ = std::move(*opened);
    }
    auto more = cursor_->next();
    if (!more.ok()) return fail(more.error());
    if (!*more) {
      at_end_ = true;
      return false;
    }
    auto samples = cursor_->times().size();
    context_.count_samples_read(samples);
    // A series' samples are in memory while it is the current one.
    bool within_limit = context_.hold(samples);
    context_.release(samples);
    return within_limit;
  }
  const SeriesCursor& series() const { return *cursor_; }

 private:
  bool fail(const Error& error) {
    // The store says that it was canceled in its own words.
    if (context_.check()) context_.fail(error);
    return false;
  }

  QueryContext& context_;
  SelectRequest request_;
  std::unique_ptr<SeriesCursor> cursor_;
  bool at_end_ = false;
};

class VectorSelectorOperator : public Operator {
 public:
  VectorSelectorOperator(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                         const RangeWindow& window, SelectorValue value, bool labels)
      : cursor_(context, selector, grid, window, labels, grid.count == 1 && window.after == 0),
        labels_(labels),
        grid_(grid),
        window_(window),
        value_(value) {}

  bool next(Block& out) override {
    out.reset(grid_.count);
    while (!out.full() && cursor_.next()) {
      auto row = out.add_row(labels_ ? cursor_.series().labels() : LabelSet(), value_ == SelectorValue::timestamp);
      fill(out.values(row), out.mask(row));
      if (!mask_any(out.mask(row), out.words())) out.remove_last_row();
    }
    return !out.empty();
  }

 private:
  void fill(double* values, MaskWord* mask) const {
    auto times = cursor_.series().times();
    auto samples = cursor_.series().values();
    std::size_t past = 0;
    for (std::size_t i = 0; i < grid_.count; ++i) {
      TimestampMs end = window_.end(grid_.time(i));
      while (past < times.size() && times[past] <= end) ++past;
      if (past == 0 || times[past - 1] <= end - window_.range || is_stale_nan(samples[past - 1])) continue;
      values[i] = value_ == SelectorValue::sample ? samples[past - 1] : static_cast<double>(times[past - 1]) / 1000;
      mask_set(mask, i);
    }
  }

  SelectorCursor cursor_;
  bool labels_;
  StepGrid grid_;
  RangeWindow window_;
  SelectorValue value_;
};

class RangeSelectorStream : public SampleStream {
 public:
  RangeSelectorStream(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                      const RangeWindow& window)
      : cursor_(context, selector, grid, window, true, false) {}

  bool next() override {
    while (cursor_.next()) {
      times_ = cursor_.series().times();
      values_ = cursor_.series().values();
      drop_stale_markers();
      if (times_.empty()) continue;
      labels_.labels = cursor_.series().labels();
      return true;
    }
    return false;
  }
  const RowLabels& labels() const override { return labels_; }
  std::span<const TimestampMs> times() const override { return times_; }
  std::span<const double> values() const override { return values_; }

 private:
  /// Copies the series only when it has a marker.
  void drop_stale_markers() {
    if (std::none_of(values_.begin(), values_.end(), is_stale_nan)) return;
    kept_times_.clear();
    kept_values_.clear();
    for (std::size_t s = 0; s < values_.size(); ++s) {
      if (is_stale_nan(values_[s])) continue;
      kept_times_.push_back(times_[s]);
      kept_values_.push_back(values_[s]);
    }
    times_ = kept_times_;
    values_ = kept_values_;
  }

  SelectorCursor cursor_;
  RowLabels labels_;
  std::span<const TimestampMs> times_;
  std::span<const double> values_;
  std::vector<TimestampMs> kept_times_;
  std::vector<double> kept_values_;
};

}  // namespace

OperatorPtr make_vector_selector(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                                 const RangeWindow& window, SelectorValue value, bool labels) {
  return std::make_unique<VectorSelectorOperator>(context, selector, grid, window, value, labels);
}

SampleStreamPtr make_range_selector(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                                    const RangeWindow& window) {
  return std::make_unique<RangeSelectorStream>(context, selector, grid, window);
}

}  // namespace pipit
