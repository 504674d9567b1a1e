#include <algorithm>

#include "query/binary.h"
#include "query/grouping.h"
#include "query/label_table.h"
#include "query/row_store.h"

namespace pipit {
namespace {

constexpr const char* kManyMatches =
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
constexpr const char* kLabelsDoNotKeepApart = "multiple matches for labels: grouping labels must ensure unique matches";

/// Arithmetic and comparisons of two vectors.
///
/// The side that has one series for each match group (the right one, the left one with group_right) is held; the
/// other, the "many" side, streams past it. A group may have several series on either side as long as they have no
/// sample at the same step.
class VectorBinary : public Operator {
 public:
  VectorBinary(QueryContext& context, const BinaryExpr& binary, OperatorPtr left, OperatorPtr right,
               const StepGrid& grid)
      : context_(context),
        binary_(binary),
        matching_(*binary.matching),
        key_of_(context, matching_),
        swapped_(matching_.cardinality == MatchCardinality::one_to_many),
        one_to_one_(matching_.cardinality == MatchCardinality::one_to_one),
        many_(swapped_ ? std::move(right) : std::move(left)),
        one_(swapped_ ? std::move(left) : std::move(right)),
        steps_(grid.count),
        words_(mask_words(grid.count)),
        common_(words_, 0),
        ambiguous_(words_, 0),
        held_(context),
        store_(context, grid.count),
        include_(intern_all(matching_.include, context.symbols())) {}

  bool next(Block& out) override {
    if (one_) {
      read_one_side(out);
      one_.reset();
    }
    out.reset(steps_);
    bool anything = store_.size() > 0 || matching_.fill_right.has_value();
    while (anything && !many_done_ && !out.full() && context_.check()) read_many_side(out);
    if (!many_done_ && anything) return !context_.failed() && !out.empty();
    finish(out);
    return !context_.failed() && !out.empty();
  }

 private:
  struct Group {
    std::vector<std::size_t> rows;  // of the store
    std::vector<MaskWord> present;  // steps at which the one side has a sample
    std::vector<MaskWord> matched;  // steps at which the many side had one
  };

  void read_one_side(Block& block) {
    while (one_->next(block)) {
      for (std::size_t row = 0; row < block.rows(); ++row) {
        if (!store_.add(block, row) || !add_to_group(store_.size() - 1)) return;
      }
    }
  }

  bool add_to_group(std::size_t index) {
    const auto& row = store_.rows()[index];
    const LabelSet& key = key_of_.key(row.labels.labels);
    auto [group, is_new] = groups_.find_or_add(key);
    if (is_new) {
      const std::size_t bytes = sizeof(Group) + kTableEntryBytes + bytes_of(key);
      if (!held_.add_bytes(bytes + 2 * words_ * sizeof(MaskWord))) return false;
      group->present.resize(words_);
      group->matched.resize(words_);
    }
    for (std::size_t w = 0; w < words_; ++w) ambiguous_[w] |= group->present[w] & row.mask[w];
    for (std::size_t w = 0; w < words_; ++w) group->present[w] |= row.mask[w];
    group->rows.push_back(index);
    return true;
  }

  void read_many_side(Block& out) {
    if (!many_->next(many_block_)) {
      many_done_ = true;
      return;
    }
    for (std::size_t row = 0; row < many_block_.rows() && !context_.failed(); ++row) {
      const MaskWord* mask = many_block_.mask(row);
      find_common(ambiguous_.data(), mask);
      if (mask_any(common_.data(), words_)) return fail_as_ambiguous(common_);
      Group* group = groups_.find(key_of_.key(many_block_.labels(row).labels));
      if (group != nullptr) match(row, *group, out);
      if (matching_.fill_right) fill_one(row, group, out);
    }
  }

  void match(std::size_t row, Group& group, Block& out) {
    const MaskWord* mask = many_block_.mask(row);
    if (one_to_one_) {
      for (std::size_t w = 0; w < words_; ++w) {
        if ((group.matched[w] & mask[w] & group.present[w]) == 0) continue;
        return context_.fail(execution_error(kManyMatches));
      }
    }
    for (std::size_t w = 0; w < words_; ++w) group.matched[w] |= mask[w];
    for (std::size_t index : group.rows) {
      const auto& one = store_.rows()[index];
      find_common(mask, one.mask.data());
      if (!mask_any(common_.data(), words_)) continue;
      emit(many_block_.labels(row), many_block_.values(row), one.labels.labels, one.values.data(), common_, out);
    }
  }

  /// The many side's samples without a partner meet the value of fill_right.
  void fill_one(std::size_t row, const Group* group, Block& out) {
    const MaskWord* mask = many_block_.mask(row);
    std::vector<MaskWord> alone(mask, mask + words_);
    for (std::size_t w = 0; group != nullptr && w < words_; ++w) alone[w] &= ~group->present[w];
    if (!mask_any(alone.data(), words_)) return;
    std::vector<double> filled(steps_, *matching_.fill_right);
    const auto& labels = many_block_.labels(row);
    if (one_to_one_ && !admit(filled_, key_of_.key(labels.labels), alone, kManyMatches)) return;
    emit(labels, many_block_.values(row), key_of_.key(labels.labels), filled.data(), alone, out);
  }

  /// The one side's samples without a partner meet the value of fill_left.
  void fill_many(const Group& group, Block& out) {
    std::vector<double> filled(steps_, *matching_.fill_left);
    for (std::size_t index : group.rows) {
      const auto& one = store_.rows()[index];
      std::vector<MaskWord> alone(one.mask.begin(), one.mask.end());
      for (std::size_t w = 0; w < words_; ++w) alone[w] &= ~group.matched[w];
      if (!mask_any(alone.data(), words_)) continue;
      RowLabels labels{key_of_.key(one.labels.labels), false};
      emit(labels, filled.data(), one.labels.labels, one.values.data(), alone, out);
    }
  }

  void finish(Block& out) {
    if (!matching_.fill_left) return;
    if (mask_any(ambiguous_.data(), words_)) return fail_as_ambiguous(ambiguous_);
    for (; filled_groups_ < groups_.values().size() && !out.full() && context_.check(); ++filled_groups_) {
      fill_many(groups_.values()[filled_groups_], out);
    }
  }

  void emit(const RowLabels& many_labels, const double* many, const LabelSet& one_labels, const double* one,
            const std::vector<MaskWord>& mask, Block& out) {
    LabelSet labels = result_labels(many_labels.labels, one_labels);
    if (!one_to_one_ && !admit(admitted_, labels, mask, kLabelsDoNotKeepApart)) return;
    auto row = out.add_row(std::move(labels), many_labels.drop_name || drops_name(binary_));
    std::copy(mask.begin(), mask.end(), out.mask(row));
    const double* a = swapped_ ? one : many;
    const double* b = swapped_ ? many : one;
    combine_cells(binary_.op, binary_.return_bool, a, b, a, out.values(row), out.mask(row), steps_);
    if (!mask_any(out.mask(row), words_)) out.remove_last_row();
  }

  using Admitted = LabelTable<std::vector<MaskWord>>;
  /// Watches that no two series with these labels are there at the same step.
  bool admit(Admitted& table, const LabelSet& labels, const std::vector<MaskWord>& mask, const char* refusal) {
    auto [admitted, is_new] = table.find_or_add(labels);
    if (is_new) {
      *admitted = mask;
      return held_.add_bytes(bytes_of(labels) + kTableEntryBytes + words_ * sizeof(MaskWord));
    }
    for (std::size_t w = 0; w < words_; ++w) {
      if (((*admitted)[w] & mask[w]) != 0) {
        context_.fail(execution_error(refusal));
        return false;
      }
      (*admitted)[w] |= mask[w];
    }
    return true;
  }

  LabelSet result_labels(const LabelSet& many, const LabelSet& one) const {
    LabelSet labels = many;
    if (one_to_one_) {
      std::erase_if(labels, [&](const LabelPair& l) {
        const auto& texts = matching_.labels;
        bool listed = std::find(texts.begin(), texts.end(), context_.symbols().text(l.name)) != texts.end();
        return listed != matching_.on;
      });
    }
    for (SymbolId name : include_) set_label(labels, name, get_label(one, name), context_.symbols());
    return labels;
  }

  /// Sets common_.
  void find_common(const MaskWord* a, const MaskWord* b) {
    for (std::size_t w = 0; w < words_; ++w) common_[w] = a[w] & b[w];
  }

  /// Names two series of one match group that have a sample at the first of `steps`.
  void fail_as_ambiguous(const std::vector<MaskWord>& steps) {
    std::size_t step = 0;
    while (!mask_get(steps.data(), step)) ++step;
    for (const auto& group : groups_.values()) {
      const RowStore::Row* first = nullptr;
      for (std::size_t index : group.rows) {
        const auto& row = store_.rows()[index];
        if (!mask_get(row.mask.data(), step)) continue;
        if (first != nullptr) return context_.fail(ambiguity_error(first->labels.labels, row.labels.labels));
        first = &row;
      }
    }
  }

  Error ambiguity_error(LabelSet a, LabelSet b) {
    const auto& symbols = context_.symbols();
    if (labels_less(b, a, symbols)) std::swap(a, b);
    return execution_error("found duplicate series for the match group " + labels_text(key_of_.key(a), symbols) +
                           " on the " + (swapped_ ? "left" : "right") + " hand-side of the operation: [" +
                           labels_text(a, symbols) + ", " + labels_text(b, symbols) +
                           "];many-to-many matching not allowed: matching labels must be unique on one side");
  }

  QueryContext& context_;
  const BinaryExpr& binary_;
  const VectorMatching& matching_;
  Grouping key_of_;
  bool swapped_;
  bool one_to_one_;
  OperatorPtr many_;
  OperatorPtr one_;
  std::size_t steps_;
  std::size_t words_;
  std::vector<MaskWord> common_;     ///< see find_common
  std::vector<MaskWord> ambiguous_;  ///< steps at which a match group has two samples on the one side
  HeldCells held_;                   ///< by the tables
  RowStore store_;
  LabelTable<Group> groups_;
  std::vector<SymbolId> include_;
  Admitted admitted_;  ///< results, of grouped matching
  Admitted filled_;    ///< match groups of the many side that met fill_right, of one-to-one matching
  Block many_block_;
  bool many_done_ = false;
  std::size_t filled_groups_ = 0;
};

}  // namespace

OperatorPtr make_vector_binary(QueryContext& context, const BinaryExpr& binary, OperatorPtr left, OperatorPtr right,
                               const StepGrid& grid) {
  return std::make_unique<VectorBinary>(context, binary, std::move(left), std::move(right), grid);
}

}  // namespace pipit
