#include "query/subquery.h"

namespace pipit {
namespace {

class SubqueryStream : public SampleStream {
 public:
  SubqueryStream(QueryContext& context, OperatorPtr input, const StepGrid& grid)
      : context_(context), input_(std::move(input)), grid_(grid), held_(context) {
    // A row of the block and the samples that are made of it.
    held_.add(2 * grid.count);
  }

  bool next() override {
    if (++row_ >= block_.rows()) {
      if (!context_.check() || !input_->next(block_)) return false;
      row_ = 0;
    }
    times_.clear();
    values_.clear();
    const double* values = block_.values(row_);
    mask_for_each(block_.mask(row_), block_.words(), [&](std::size_t i) {
      times_.push_back(grid_.time(i));
      values_.push_back(values[i]);
    });
    return true;
  }
  const RowLabels& labels() const override { return block_.labels(row_); }
  std::span<const TimestampMs> times() const override { return times_; }
  std::span<const double> values() const override { return values_; }

 private:
  QueryContext& context_;
  OperatorPtr input_;
  StepGrid grid_;
  HeldCells held_;
  Block block_;
  std::size_t row_ = 0;
  std::vector<TimestampMs> times_;
  std::vector<double> values_;
};

/// The first multiple of `step` after `t`.
TimestampMs next_multiple(TimestampMs t, DurationMs step) {
  TimestampMs floor = t - ((t % step) + step) % step;
  return floor + step;
}

}  // namespace

StepGrid subquery_grid(const StepGrid& outer, const RangeWindow& window, DurationMs step) {
  TimestampMs first = next_multiple(window.end(outer.start) - window.range, step);
  TimestampMs last = window.end(outer.last());
  std::size_t count = last < first ? 0 : static_cast<std::size_t>((last - first) / step) + 1;
  return {first, step, count};
}

SampleStreamPtr make_subquery_stream(QueryContext& context, OperatorPtr input, const StepGrid& grid) {
  return std::make_unique<SubqueryStream>(context, std::move(input), grid);
}

}  // namespace pipit
