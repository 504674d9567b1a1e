#include "query/aggregate.h"

#include <algorithm>
#include <cmath>

#include "query/compensated_sum.h"
#include "query/grouping.h"
#include "query/label_table.h"

namespace pipit {
namespace {

struct SumState {
  CompensatedSum sum;
  void add(double v) { sum.add(v); }
  double value() const { return sum.value(); }
};

struct CountState {
  double count = 0;
  void add(double) { count += 1; }
  double value() const { return count; }
};

struct GroupState {
  void add(double) {}
  double value() const { return 1; }
};

/// NaN until something else comes.
struct MaxState {
  double best = std::nan("");
  void add(double v) {
    if (v > best || std::isnan(best)) best = v;
  }
  double value() const { return best; }
};

struct MinState {
  double best = std::nan("");
  void add(double v) {
    if (v < best || std::isnan(best)) best = v;
  }
  double value() const { return best; }
};

struct VarianceState {
  double count = 0;
  double mean = 0;
  double squares = 0;
  void add(double v) {
    count += 1;
    double delta = v - mean;
    mean += delta / count;
    squares += delta * (v - mean);
  }
  double value() const { return squares / count; }
};

struct DeviationState : VarianceState {
  double value() const { return std::sqrt(VarianceState::value()); }
};

template <class State>
class StreamingAggregate : public Operator {
 public:
  StreamingAggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input, const StepGrid& grid)
      : context_(context),
        grouping_(context, aggregate),
        input_(std::move(input)),
        steps_(grid.count),
        held_(context) {}

  bool next(Block& out) override {
    if (!read_) {
      read_ = true;
      while (input_->next(out)) {
        for (std::size_t row = 0; row < out.rows(); ++row) {
          if (!add(out, row)) return false;
        }
      }
    }
    return context_.check() && emit(out);
  }

 private:
  struct Group {
    RowLabels labels;
    std::vector<State> cells;
    std::vector<MaskWord> mask;
  };

  static std::size_t group_bytes(const LabelSet& key, std::size_t words) {
    return sizeof(Group) + kTableEntryBytes + 2 * bytes_of(key) + words * sizeof(MaskWord);
  }

  bool add(const Block& block, std::size_t row) {
    const LabelSet& key = grouping_.key(block.labels(row).labels);
    auto [group, is_new] = groups_.find_or_add(key);
    if (is_new) {
      if (!held_.add(steps_ * (sizeof(State) + sizeof(double) - 1) / sizeof(double), group_bytes(key, block.words()))) {
        return false;
      }
      group->labels.labels = key;
      group->cells.resize(steps_);
      group->mask.resize(block.words());
    }
    group->labels.drop_name = group->labels.drop_name || block.labels(row).drop_name;
    const double* values = block.values(row);
    const MaskWord* mask = block.mask(row);
    State* cells = group->cells.data();
    mask_for_each(mask, block.words(), [&](std::size_t i) { cells[i].add(values[i]); });
    for (std::size_t w = 0; w < block.words(); ++w) group->mask[w] |= mask[w];
    return true;
  }

  bool emit(Block& out) {
    out.reset(steps_);
    for (; at_ < groups_.values().size() && !out.full(); ++at_) {
      auto& group = groups_.values()[at_];
      auto row = out.add_row(std::move(group.labels.labels), group.labels.drop_name);
      double* values = out.values(row);
      mask_for_each(group.mask.data(), group.mask.size(), [&](std::size_t i) { values[i] = group.cells[i].value(); });
      std::copy(group.mask.begin(), group.mask.end(), out.mask(row));
      group.cells = {};
    }
    return !out.empty();
  }

  QueryContext& context_;
  Grouping grouping_;
  OperatorPtr input_;
  std::size_t steps_;
  HeldCells held_;
  LabelTable<Group> groups_;
  bool read_ = false;
  std::size_t at_ = 0;
};

template <class State>
OperatorPtr streaming(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input, const StepGrid& grid) {
  return std::make_unique<StreamingAggregate<State>>(context, aggregate, std::move(input), grid);
}

}  // namespace

OperatorPtr make_streaming_aggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input,
                                     const StepGrid& grid) {
  switch (aggregate.op) {
    case AggregateOp::sum:
      return streaming<SumState>(context, aggregate, std::move(input), grid);
    case AggregateOp::avg:
      return streaming<CompensatedMean>(context, aggregate, std::move(input), grid);
    case AggregateOp::count:
      return streaming<CountState>(context, aggregate, std::move(input), grid);
    case AggregateOp::min:
      return streaming<MinState>(context, aggregate, std::move(input), grid);
    case AggregateOp::max:
      return streaming<MaxState>(context, aggregate, std::move(input), grid);
    case AggregateOp::group:
      return streaming<GroupState>(context, aggregate, std::move(input), grid);
    case AggregateOp::stddev:
      return streaming<DeviationState>(context, aggregate, std::move(input), grid);
    case AggregateOp::stdvar:
      return streaming<VarianceState>(context, aggregate, std::move(input), grid);
    default:
      context.fail(internal_error("not a streaming aggregation"));
      return nullptr;
  }
}

}  // namespace pipit
