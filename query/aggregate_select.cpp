#include <algorithm>
#include <cmath>
#include <optional>

#include "model/labels.h"
#include "model/number.h"
#include "query/aggregate.h"
#include "query/grouping.h"
#include "query/instant_functions.h"
#include "query/label_table.h"
#include "query/row_store.h"

namespace pipit {
namespace {

/// topk, bottomk and limitk. Each group has a heap per step whose root is the sample that goes first when a better
/// one comes. Only labels of series that ever were in a heap are kept.
class SelectingAggregate : public Operator {
 public:
  SelectingAggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input, const ScalarColumn& k,
                     const StepGrid& grid)
      : context_(context),
        op_(aggregate.op),
        grouping_(context, aggregate),
        input_(std::move(input)),
        steps_(grid.count),
        held_(context) {
    for (std::size_t i = 0; i < steps_; ++i) k_.push_back(k.at(i) < 1 ? 0 : static_cast<std::uint64_t>(k.at(i)));
  }

  bool next(Block& out) override {
    if (!store_) {
      while (input_->next(out)) {
        for (std::size_t row = 0; row < out.rows() && !context_.failed(); ++row) add(out, row);
      }
      if (context_.failed()) return false;
      store_.emplace(context_, steps_);
      if (!collect()) return false;
    }
    return reader_.next(*store_, out);
  }

 private:
  struct Candidate {
    double value;
    std::uint32_t series;
  };
  struct Group {
    std::vector<std::vector<Candidate>> heaps;
  };

  /// Whether `a` leaves before `b`.
  bool leaves_before(const Candidate& a, const Candidate& b) const {
    if (std::isnan(a.value)) return !std::isnan(b.value);
    return op_ == AggregateOp::topk ? a.value < b.value : a.value > b.value;
  }

  void add(const Block& block, std::size_t row) {
    const LabelSet& key = grouping_.key(block.labels(row).labels);
    auto [group, is_new] = groups_.find_or_add(key);
    if (is_new) {
      const std::size_t bytes = sizeof(Group) + kTableEntryBytes + bytes_of(key);
      if (!held_.add_bytes(bytes + steps_ * sizeof(group->heaps[0]))) return;
      group->heaps.resize(steps_);
    }
    auto series = static_cast<std::uint32_t>(series_.size());
    bool entered = false;
    std::uint64_t grown = 0;
    auto root_last = [this](const Candidate& a, const Candidate& b) { return leaves_before(b, a); };
    mask_for_each(block.mask(row), block.words(), [&](std::size_t i) {
      auto& heap = group->heaps[i];
      Candidate candidate{block.values(row)[i], series};
      if (heap.size() < k_[i]) {
        heap.push_back(candidate);
        ++grown;
        entered = true;
        if (op_ != AggregateOp::limitk) std::push_heap(heap.begin(), heap.end(), root_last);
      } else if (op_ != AggregateOp::limitk && !heap.empty() && leaves_before(heap.front(), candidate)) {
        std::pop_heap(heap.begin(), heap.end(), root_last);
        heap.back() = candidate;
        std::push_heap(heap.begin(), heap.end(), root_last);
        entered = true;
      }
    });
    std::uint64_t bytes = grown * (sizeof(Candidate) - sizeof(double));
    if (entered) {
      series_.push_back(block.labels(row));
      bytes += sizeof(RowLabels) + bytes_of(series_.back().labels);
    }
    held_.add(grown, bytes);
  }

  /// A single step gives its samples best first, group by group; several give each series its row.
  bool collect() {
    std::vector<std::size_t> row_of(series_.size(), kNoRow);
    for (auto& group : groups_.values()) {
      for (std::size_t i = 0; i < steps_; ++i) {
        auto& heap = group.heaps[i];
        if (!heap.empty() && !context_.check()) return false;
        if (steps_ == 1 && op_ != AggregateOp::limitk) {
          std::sort(heap.begin(), heap.end(), [this](const Candidate& a, const Candidate& b) {
            if (leaves_before(b, a)) return true;
            return !leaves_before(a, b) && a.series < b.series;
          });
        }
        for (const auto& candidate : heap) {
          auto& row = row_of[candidate.series];
          if (row == kNoRow) {
            row = store_->size();
            if (store_->add_empty(std::move(series_[candidate.series])) == nullptr) return false;
          }
          store_->rows()[row].values[i] = candidate.value;
          mask_set(store_->rows()[row].mask.data(), i);
        }
        heap = {};
      }
    }
    return true;
  }

  static constexpr std::size_t kNoRow = ~std::size_t{0};
  QueryContext& context_;
  AggregateOp op_;
  Grouping grouping_;
  OperatorPtr input_;
  std::size_t steps_;
  HeldCells held_;
  std::vector<std::uint64_t> k_;
  LabelTable<Group> groups_;
  std::vector<RowLabels> series_;
  std::optional<RowStore> store_;
  RowStoreReader reader_;
};

class LimitRatio : public Operator {
 public:
  LimitRatio(QueryContext& context, OperatorPtr input, ScalarColumn ratio)
      : context_(context), input_(std::move(input)), ratio_(std::move(ratio)) {}

  bool next(Block& out) override {
    if (!input_->next(out)) return false;
    for (std::size_t row = 0; row < out.rows(); ++row) {
      double position = position_of(out.labels(row).labels);
      for (std::size_t i = 0; i < out.steps(); ++i) {
        double ratio = ratio_.at(i);
        bool keep = ratio >= 0 ? position < ratio : position >= 1 + ratio;
        if (!keep) mask_clear(out.mask(row), i);
      }
    }
    return true;
  }

 private:
  /// In [0, 1), from the labels' texts, so that a series is sampled the same in every query.
  double position_of(const LabelSet& labels) const {
    std::uint64_t h = 0xcbf29ce484222325ULL;
    auto mix = [&h](std::string_view text) {
      for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
      h = (h ^ 0xff) * 0x100000001b3ULL;
    };
    for (const auto& label : labels) {
      mix(context_.symbols().text(label.name));
      mix(context_.symbols().text(label.value));
    }
    // FNV leaves the high bits alike for texts that differ at their end only.
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    return static_cast<double>(h >> 11) * 0x1p-53;
  }

  QueryContext& context_;
  OperatorPtr input_;
  ScalarColumn ratio_;
};

/// Whether every k is one that an integer can hold; fails the query else.
bool check_k(QueryContext& context, const ScalarColumn& k) {
  constexpr double kLimit = 9223372036854775808.0;
  if (k.any_nan()) {
    context.fail(execution_error("Parameter value is NaN"));
  } else if (k.min() <= -kLimit) {
    context.fail(execution_error("Scalar value " + format_float_g(k.min()) + " underflows int64"));
  } else if (k.max() >= kLimit) {
    context.fail(execution_error("Scalar value " + format_float_g(k.max()) + " overflows int64"));
  }
  return !context.failed();
}

}  // namespace

OperatorPtr make_selecting_aggregate(QueryContext& context, const AggregateExpr& aggregate, OperatorPtr input,
                                     const ScalarColumn& k, const StepGrid& grid) {
  if (!check_k(context, k) || k.max() < 1) return make_empty();
  return std::make_unique<SelectingAggregate>(context, aggregate, std::move(input), k, grid);
}

OperatorPtr make_limit_ratio(QueryContext& context, OperatorPtr input, ScalarColumn ratio, PositionRange position) {
  if (ratio.any_nan()) {
    context.fail(execution_error("Ratio value is NaN"));
    return make_empty();
  }
  auto cap = [&](double value, double limit) {
    context.annotations().warn("ratio value should be between -1 and 1, got " + format_float_g(value) +
                                   ", capping to " + format_float_g(limit),
                               position);
  };
  if (ratio.max() > 1) cap(ratio.max(), 1);
  if (ratio.min() < -1) cap(ratio.min(), -1);
  for (double& r : ratio.values()) r = std::clamp(r, -1.0, 1.0);
  return std::make_unique<LimitRatio>(context, std::move(input), std::move(ratio));
}

}  // namespace pipit
