#include "query/binary.h"
#include "query/grouping.h"
#include "query/label_table.h"

namespace pipit {
namespace {

/// By matching labels, the steps at which a side has any sample.
class Presence {
 public:
  explicit Presence(QueryContext& context) : held_(context) {}

  /// False when the query's limit is reached.
  bool add(const LabelSet& key, const MaskWord* mask, std::size_t words) {
    auto [present, is_new] = masks_.find_or_add(key);
    if (is_new && !held_.add_bytes(bytes_of(key) + kTableEntryBytes + words * sizeof(MaskWord))) return false;
    present->resize(words);
    for (std::size_t w = 0; w < words; ++w) (*present)[w] |= mask[w];
    return true;
  }
  /// Null when the side has none at all.
  const MaskWord* find(const LabelSet& key) const {
    const auto* found = masks_.find(key);
    return found == nullptr ? nullptr : found->data();
  }

 private:
  HeldCells held_;
  LabelTable<std::vector<MaskWord>> masks_;
};

/// `and`, `unless`: reads the right side's presence, then lets the left side through it.
class FilterByPresence : public Operator {
 public:
  FilterByPresence(QueryContext& context, const BinaryExpr& binary, OperatorPtr left, OperatorPtr right)
      : matching_(context, *binary.matching),
        keep_present_(binary.op == BinaryOp::land),
        left_(std::move(left)),
        right_(std::move(right)),
        presence_(context) {}

  bool next(Block& out) override {
    if (right_) read_right(out);
    while (left_->next(out)) {
      bool any = false;
      for (std::size_t row = 0; row < out.rows(); ++row) {
        const MaskWord* present = presence_.find(matching_.key(out.labels(row).labels));
        MaskWord* mask = out.mask(row);
        for (std::size_t w = 0; w < out.words(); ++w) {
          MaskWord there = present == nullptr ? 0 : present[w];
          mask[w] &= keep_present_ ? there : ~there;
          any |= mask[w] != 0;
        }
      }
      if (any) return true;
    }
    return false;
  }

 private:
  void read_right(Block& block) {
    while (right_->next(block)) {
      for (std::size_t row = 0; row < block.rows(); ++row) {
        if (!presence_.add(matching_.key(block.labels(row).labels), block.mask(row), block.words())) return;
      }
    }
    right_.reset();
  }

  Grouping matching_;
  bool keep_present_;
  OperatorPtr left_;
  OperatorPtr right_;
  Presence presence_;
};

/// `or`: the left side as it is, then what the right side has where the left has nothing.
class Union : public Operator {
 public:
  Union(QueryContext& context, const BinaryExpr& binary, OperatorPtr left, OperatorPtr right)
      : matching_(context, *binary.matching), left_(std::move(left)), right_(std::move(right)), presence_(context) {}

  bool next(Block& out) override {
    if (left_) {
      if (left_->next(out)) {
        for (std::size_t row = 0; row < out.rows(); ++row) {
          if (!presence_.add(matching_.key(out.labels(row).labels), out.mask(row), out.words())) return false;
        }
        return true;
      }
      left_.reset();
    }
    if (!right_->next(out)) return false;
    for (std::size_t row = 0; row < out.rows(); ++row) {
      const MaskWord* present = presence_.find(matching_.key(out.labels(row).labels));
      for (std::size_t w = 0; present != nullptr && w < out.words(); ++w) out.mask(row)[w] &= ~present[w];
    }
    return true;
  }

 private:
  Grouping matching_;
  OperatorPtr left_;
  OperatorPtr right_;
  Presence presence_;
};

}  // namespace

OperatorPtr make_set_operator(QueryContext& context, const BinaryExpr& binary, OperatorPtr left, OperatorPtr right) {
  if (binary.op == BinaryOp::lor) {
    return std::make_unique<Union>(context, binary, std::move(left), std::move(right));
  }
  return std::make_unique<FilterByPresence>(context, binary, std::move(left), std::move(right));
}

}  // namespace pipit
