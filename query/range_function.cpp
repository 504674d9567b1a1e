#include "query/range_function.h"

#include <algorithm>

#include "model/labels.h"
#include "query/label_set.h"

namespace pipit {
namespace {

class RangeFunctionOperator : public Operator {
 public:
  RangeFunctionOperator(QueryContext& context, RangeFunctionCall call, SampleStreamPtr input, const StepGrid& grid,
                        const RangeWindow& window)
      : context_(context),
        call_(std::move(call)),
        input_(std::move(input)),
        wants_counter_(call_.function->name == "rate" || call_.function->name == "increase") {
    windows_.grid = grid;
    windows_.window = window;
  }

  bool next(Block& out) override {
    out.reset(windows_.grid.count);
    while (!out.full() && input_->next()) {
      windows_.assign(input_->times(), input_->values());
      const auto& labels = input_->labels();
      auto row = out.add_row(labels.labels, labels.drop_name || !call_.function->keeps_name);
      call_.function->kernel(windows_, call_.args, {out.values(row), out.mask(row)});
      if (!mask_any(out.mask(row), out.words())) {
        out.remove_last_row();
      } else if (wants_counter_) {
        remark_if_no_counter(labels.labels);
      }
    }
    return !out.empty();
  }

 private:
  /// By the type label where there is one, else by the name's ending.
  void remark_if_no_counter(const LabelSet& labels) {
    const auto& symbols = context_.symbols();
    auto name = symbols.text(get_label(labels, context_.name_id()));
    if (name.empty()) return;
    if (auto type = symbols.text(get_label(labels, context_.type_id())); !type.empty()) {
      if (type == "counter" || type == "histogram") return;
      context_.annotations().info(
          "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", "
          "got " +
              quoted(type) + ": " + quoted(name),
          call_.range_position);
      return;
    }
    constexpr std::string_view kEndings[] = {"_total", "_sum", "_count", "_bucket"};
    if (std::any_of(std::begin(kEndings), std::end(kEndings), [&](auto ending) { return name.ends_with(ending); }))
      return;
    context_.annotations().info(
        "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + quoted(name),
        call_.range_position);
  }

  QueryContext& context_;
  RangeFunctionCall call_;
  SampleStreamPtr input_;
  bool wants_counter_;
  Windows windows_;
};

class AbsentOverTime : public Operator {
 public:
  AbsentOverTime(SampleStreamPtr input, const StepGrid& grid, const RangeWindow& window, LabelSet labels)
      : input_(std::move(input)), labels_(std::move(labels)) {
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
      for (std::size_t i = 0; i < windows_.steps(); ++i) {
        if (windows_.lo[i] < windows_.hi[i]) mask_clear(out.mask(row), i);
      }
    }
    return mask_any(out.mask(row), out.words());
  }

 private:
  SampleStreamPtr input_;
  LabelSet labels_;
  Windows windows_;
  bool done_ = false;
};

}  // namespace

OperatorPtr make_range_function(QueryContext& context, RangeFunctionCall call, SampleStreamPtr input,
                                const StepGrid& grid, const RangeWindow& window) {
  return std::make_unique<RangeFunctionOperator>(context, std::move(call), std::move(input), grid, window);
}

OperatorPtr make_absent_over_time(QueryContext&, SampleStreamPtr input, const StepGrid& grid, const RangeWindow& window,
                                  LabelSet labels) {
  return std::make_unique<AbsentOverTime>(std::move(input), grid, window, std::move(labels));
}

}  // namespace pipit
