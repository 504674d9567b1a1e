#include <algorithm>
#include <bit>
#include <cmath>

#include "model/labels.h"
#include "model/number.h"
#include "query/aggregate.h"
#include "query/classic_histogram.h"
#include "query/grouping.h"
#include "query/instant_functions.h"
#include "query/label_table.h"
#include "query/order_statistics.h"
#include "query/row_store.h"

namespace pipit {
namespace {

class QuantileAggregate : public Operator {
 public:
  QuantileAggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input, ScalarColumn q,
                    const StepGrid& grid)
      : context_(context),
        grouping_(context, aggregate),
        input_(std::move(input)),
        q_(std::move(q)),
        steps_(grid.count),
        held_(context) {}

  bool next(Block& out) override {
    if (!read_) {
      read_ = true;
      while (input_->next(out)) {
        for (std::size_t row = 0; row < out.rows() && !context_.failed(); ++row) add(out, row);
      }
      if (context_.failed()) return false;
    }
    out.reset(steps_);
    for (; at_ < groups_.values().size() && !out.full(); ++at_) {
      if (!emit(groups_.values()[at_], out)) return false;
    }
    return !out.empty();
  }

 private:
  struct Group {
    RowLabels labels;
    std::vector<std::vector<double>> samples;  // by step
  };

  void add(const Block& block, std::size_t row) {
    const LabelSet& key = grouping_.key(block.labels(row).labels);
    auto [group, is_new] = groups_.find_or_add(key);
    if (is_new) {
      const std::size_t bytes = sizeof(Group) + kTableEntryBytes + 2 * bytes_of(key);
      if (!held_.add_bytes(bytes + steps_ * sizeof(group->samples[0]))) return;
      group->labels.labels = key;
      group->samples.resize(steps_);
    }
    group->labels.drop_name = group->labels.drop_name || block.labels(row).drop_name;
    held_.add(mask_count(block.mask(row), block.words()));
    mask_for_each(block.mask(row), block.words(),
                  [&](std::size_t i) { group->samples[i].push_back(block.values(row)[i]); });
  }

  /// False when the query is over: to divide what a step has can take long.
  bool emit(Group& group, Block& out) {
    auto row = out.add_row(std::move(group.labels.labels), group.labels.drop_name);
    for (std::size_t i = 0; i < steps_; ++i) {
      auto& samples = group.samples[i];
      if (samples.empty()) continue;
      if (!context_.check()) return false;
      out.set(row, i, quantile_of_unsorted(q_.at(i), samples));
    }
    return true;
  }

  QueryContext& context_;
  Grouping grouping_;
  OperatorPtr input_;
  ScalarColumn q_;
  std::size_t steps_;
  HeldCells held_;
  LabelTable<Group> groups_;
  bool read_ = false;
  std::size_t at_ = 0;
};

class CountValues : public Operator {
 public:
  CountValues(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input, SymbolId label,
              const StepGrid& grid)
      : context_(context),
        grouping_(context, aggregate),
        input_(std::move(input)),
        label_(label),
        held_(context),
        store_(context, grid.count) {}

  bool next(Block& out) override {
    if (!read_) {
      read_ = true;
      while (input_->next(out)) {
        for (std::size_t row = 0; row < out.rows(); ++row) {
          if (!add(out, row)) return false;
        }
      }
      if (context_.failed()) return false;
    }
    return reader_.next(store_, out);
  }

 private:
  bool add(const Block& block, std::size_t row) {
    LabelSet key = grouping_.key(block.labels(row).labels);
    bool ok = true;
    mask_for_each(block.mask(row), block.words(), [&](std::size_t i) {
      if (!ok) return;
      set_label(key, label_, text_of(block.values(row)[i]), context_.symbols());
      auto [place, is_new] = places_.find_or_add(key);
      if (is_new) {
        *place = store_.size();
        ok = held_.add_bytes(bytes_of(key) + kTableEntryBytes) &&
             store_.add_empty({key, block.labels(row).drop_name}) != nullptr;
        if (!ok) return;
      }
      auto& counts = store_.rows()[*place];
      counts.values[i] += 1;
      mask_set(counts.mask.data(), i);
    });
    return ok;
  }

  SymbolId text_of(double value) {
    auto [entry, is_new] = texts_.try_emplace(std::bit_cast<std::uint64_t>(value), 0);
    if (is_new) {
      std::string text;
      append_float(text, value);
      held_.add_bytes(kTableEntryBytes);
      entry->second = context_.symbols().intern(text);
    }
    return entry->second;
  }

  QueryContext& context_;
  Grouping grouping_;
  OperatorPtr input_;
  SymbolId label_;
  HeldCells held_;
  RowStore store_;
  LabelTable<std::size_t> places_;
  std::unordered_map<std::uint64_t, SymbolId> texts_;
  RowStoreReader reader_;
  bool read_ = false;
};

}  // namespace

OperatorPtr make_quantile_aggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input,
                                    ScalarColumn q, const StepGrid& grid, PositionRange position) {
  remark_bad_quantiles(context, q, position);
  return std::make_unique<QuantileAggregate>(context, aggregate, std::move(input), std::move(q), grid);
}

OperatorPtr make_count_values(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input,
                              const std::string& label, const StepGrid& grid) {
  if (label.empty() || !is_valid_utf8(label)) {
    context.fail(execution_error("invalid label name " + quoted(label)));
    return make_empty();
  }
  return std::make_unique<CountValues>(context, aggregate, std::move(input), context.symbols().intern(label), grid);
}

}  // namespace pipit
