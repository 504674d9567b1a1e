#include "query/range_function.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "model/labels.h"
#include "model/number.h"
#include "query/classic_histogram.h"
#include "query/label_set.h"
#include "query/selector.h"
#include "query/series_scan.h"

namespace pipit {
namespace {

/// A function's row of a series.
class RangeRow : public RowFunction {
 public:
  RangeRow(std::shared_ptr<const RangeFunctionCall> call, const StepGrid& grid, const RangeWindow& window,
           const Interrupt& interrupt, SampleCount::Scope& count)
      : call_(std::move(call)), count_(count), has_factors_(call_->function->name == "double_exponential_smoothing") {
    windows_.grid = grid;
    windows_.window = window;
    windows_.interrupt = &interrupt;
  }

  Status compute(std::span<const TimestampMs> times, std::span<const double> values, RowOut out) override {
    samples_.assign(times, values);
    windows_.assign(samples_.times(), samples_.values());
    count_.add(windows_.samples());
    if (has_factors_) {
      if (Status status = check_factors(); !status.ok()) return status;
    }
    call_->function->kernel(windows_, call_->args, out);
    return {};
  }

 private:
  /// Both between 0 and 1, or NaN, wherever there is a sample to smooth.
  Status check_factors() const {
    constexpr std::string_view kNames[] = {"smoothing factor. Expected: 0 < sf < 1",
                                           "trend factor. Expected: 0 < tf < 1"};
    for (std::size_t i = 0; i < windows_.steps(); ++i) {
      if (windows_.lo[i] == windows_.hi[i]) continue;
      for (std::size_t k = 0; k < 2; ++k) {
        const double factor = call_->args[k].at(i);
        if (!(factor <= 0 || factor >= 1)) continue;
        const std::string got = std::isinf(factor) ? format_float_g(factor) : std::to_string(factor);
        return execution_error("invalid " + std::string(kNames[k]) + ", got: " + got);
      }
    }
    return {};
  }

  std::shared_ptr<const RangeFunctionCall> call_;
  SampleCount::Scope& count_;
  bool has_factors_;
  WithoutStaleMarkers samples_;
  Windows windows_;
};

/// Tells users of rate() and increase() when a series is no counter, as far as its labels say, and those of
/// quantile_over_time() which quantiles there can't be, once there is a series.
class SeriesRemarks {
 public:
  SeriesRemarks(QueryContext& context, std::shared_ptr<const RangeFunctionCall> call)
      : context_(context),
        call_(std::move(call)),
        wants_counter_(call_->function->name == "rate" || call_->function->name == "increase"),
        wants_quantile_(call_->function->name == "quantile_over_time") {}

  /// Whether there may be any.
  bool wanted() const { return wants_counter_ || wants_quantile_; }

  void look_at(const LabelSet& labels) {
    if (wants_counter_) look_for_counter(labels);
    if (std::exchange(wants_quantile_, false)) {
      remark_bad_quantiles(context_, call_->args[0], call_->quantile_position);
    }
  }

 private:
  /// By the type label where there is one, else by the name's ending.
  void look_for_counter(const LabelSet& labels) {
    const auto& symbols = context_.symbols();
    const SymbolId name_id = get_label(labels, context_.name_id());
    const SymbolId type_id = get_label(labels, context_.type_id());
    if (name_id == 0 || (name_id == last_name_ && type_id == last_type_)) return;
    last_name_ = name_id;
    last_type_ = type_id;
    const auto name = symbols.text(name_id);
    if (const auto type = symbols.text(type_id); !type.empty()) {
      if (type == "counter" || type == "histogram") return;
      context_.annotations().info(
          "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", "
          "got " +
              quoted(type) + ": " + quoted(name),
          call_->range_position);
      return;
    }
    constexpr std::string_view kEndings[] = {"_total", "_sum", "_count", "_bucket"};
    if (std::any_of(std::begin(kEndings), std::end(kEndings), [&](auto ending) { return name.ends_with(ending); }))
      return;
    context_.annotations().info(
        "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + quoted(name),
        call_->range_position);
  }

  QueryContext& context_;
  std::shared_ptr<const RangeFunctionCall> call_;
  bool wants_counter_;
  bool wants_quantile_;
  SymbolId last_name_ = 0;
  SymbolId last_type_ = 0;
};

class RangeFunctionOperator : public Operator {
 public:
  RangeFunctionOperator(QueryContext& context, std::shared_ptr<const RangeFunctionCall> call, SampleStreamPtr input,
                        const StepGrid& grid, const RangeWindow& window)
      : context_(context),
        keeps_name_(call->function->keeps_name),
        steps_(grid.count),
        input_(std::move(input)),
        remarks_(context, call),
        row_(std::move(call), grid, window, context.interrupt(), context.sample_count().current()) {}

  bool next(Block& out) override {
    out.reset(steps_);
    while (!out.full() && input_->next()) {
      const auto& labels = input_->labels();
      const auto row = out.add_row(labels.labels, labels.drop_name || !keeps_name_);
      const Status status = row_.compute(input_->times(), input_->values(), {out.values(row), out.mask(row)});
      if (!status.ok()) {
        context_.fail(status.error());
        return false;
      }
      if (!mask_any(out.mask(row), out.words())) {
        out.remove_last_row();
      } else if (remarks_.wanted()) {
        remarks_.look_at(labels.labels);
      }
    }
    return !out.empty();
  }

 private:
  QueryContext& context_;
  bool keeps_name_;
  std::size_t steps_;
  SampleStreamPtr input_;
  SeriesRemarks remarks_;
  RangeRow row_;
};

class AbsentOverTime : public Operator {
 public:
  AbsentOverTime(QueryContext& context, SampleStreamPtr input, const StepGrid& grid, const RangeWindow& window,
                 LabelSet labels)
      : count_(context.sample_count().current()), input_(std::move(input)), labels_(std::move(labels)) {
    windows_.grid = grid;
    windows_.window = window;
  }

  bool next(Block& out) override {
    out.reset(windows_.grid.count);
    if (done_) return false;
    done_ = true;
    auto row = out.add_row(std::move(labels_), false);
    std::fill_n(out.values(row), out.steps(), 1.0);
    mask_fill(out.mask(row), out.steps());
    while (input_->next()) {
      windows_.assign(input_->times(), input_->values());
      count_.add(windows_.samples());
      for (std::size_t i = 0; i < windows_.steps(); ++i) {
        if (windows_.lo[i] < windows_.hi[i]) mask_clear(out.mask(row), i);
      }
    }
    return mask_any(out.mask(row), out.words());
  }

 private:
  SampleCount::Scope& count_;
  SampleStreamPtr input_;
  LabelSet labels_;
  Windows windows_;
  bool done_ = false;
};

/// A long window is answered from the summaries of chunks, for which one sample stands, where the function allows it.
std::optional<ExtremeWindows> extreme_of(const RangeFunction& function, const StepGrid& grid,
                                         const RangeWindow& window) {
  constexpr DurationMs kLong = 3'600'000;  // a merged chunk is longer, unless it is scraped twice a second
  const bool greatest = function.name == "max_over_time";
  if (!greatest && function.name != "min_over_time") return std::nullopt;
  if (window.range < kLong || window.before != 0 || window.after != 0) return std::nullopt;
  return ExtremeWindows{greatest, window.end(grid.start), window.range, std::max<DurationMs>(grid.step, 1),
                        window.at ? 1 : grid.count};
}

}  // namespace

OperatorPtr make_range_function(QueryContext& context, RangeFunctionCall call, SampleStreamPtr input,
                                const StepGrid& grid, const RangeWindow& window) {
  return std::make_unique<RangeFunctionOperator>(context, std::make_shared<const RangeFunctionCall>(std::move(call)),
                                                 std::move(input), grid, window);
}

OperatorPtr make_range_function(QueryContext& context, RangeFunctionCall call, const VectorSelector& selector,
                                const StepGrid& grid, const RangeWindow& window) {
  const auto shared = std::make_shared<const RangeFunctionCall>(std::move(call));
  const Interrupt& interrupt = context.interrupt();
  SeriesScan scan = scan_of(selector, grid, window);
  scan.drop_name = !shared->function->keeps_name;
  scan.extreme = extreme_of(*shared->function, grid, window);
  SampleCount::Scope& count = context.sample_count().current();
  scan.make_function = [=, &interrupt, &count] {
    return std::make_unique<RangeRow>(shared, grid, window, interrupt, count);
  };
  if (SeriesRemarks remarks(context, shared); remarks.wanted()) {
    scan.on_row = [remarks](const LabelSet& labels) mutable { remarks.look_at(labels); };
  }
  return make_series_scan(context, std::move(scan));
}

OperatorPtr make_absent_over_time(QueryContext& context, SampleStreamPtr input, const StepGrid& grid,
                                  const RangeWindow& window, LabelSet labels) {
  return std::make_unique<AbsentOverTime>(context, std::move(input), grid, window, std::move(labels));
}

}  // namespace pipit
