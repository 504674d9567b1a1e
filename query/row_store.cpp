#include "query/row_store.h"

#include <algorithm>
#include <optional>

namespace pipit {

bool RowStore::add(const Block& block, std::size_t row) {
  rows_.push_back({block.labels(row),
                   {block.values(row), block.values(row) + steps_, &cells_},
                   {block.mask(row), block.mask(row) + words_, &cells_}});
  return hold(rows_.back());
}

RowStore::Row* RowStore::add_empty(RowLabels labels) {
  rows_.push_back({std::move(labels), {steps_, 0.0, &cells_}, {words_, 0, &cells_}});
  return hold(rows_.back()) ? &rows_.back() : nullptr;
}

bool RowStore::hold(const Row& row) {
  return held_.add(steps_, sizeof(Row) + bytes_of(row.labels.labels) + words_ * sizeof(MaskWord));
}

bool RowStoreReader::next(RowStore& store, Block& out) {
  out.reset(store.steps());
  for (; at_ < store.size() && !out.full(); ++at_) {
    auto& row = store.rows()[at_];
    if (!mask_any(row.mask.data(), row.mask.size())) continue;
    auto index = out.add_row(std::move(row.labels.labels), row.labels.drop_name);
    std::copy(row.values.begin(), row.values.end(), out.values(index));
    std::copy(row.mask.begin(), row.mask.end(), out.mask(index));
  }
  return !out.empty();
}

bool DuplicateGuard::admit(const LabelSet& labels, const MaskWord* mask, std::size_t words) {
  auto [seen, is_new] = seen_.find_or_add(labels);
  if (is_new) {
    seen->assign(mask, mask + words);
    return held_.add_bytes(bytes_of(labels) + kTableEntryBytes + words * sizeof(MaskWord));
  }
  for (std::size_t w = 0; w < words; ++w) {
    if (((*seen)[w] & mask[w]) != 0) {
      context_.fail(execution_error(kSameLabelset));
      return false;
    }
    (*seen)[w] |= mask[w];
  }
  return true;
}

namespace {

class MergeEqualRows : public Operator {
 public:
  MergeEqualRows(QueryContext& context, OperatorPtr input) : context_(context), input_(std::move(input)) {}

  bool next(Block& out) override {
    if (!store_ && !read_all(out)) return false;
    return reader_.next(*store_, out);
  }

 private:
  bool read_all(Block& block) {
    LabelTable<std::size_t> places;
    HeldCells held(context_);
    while (input_->next(block)) {
      if (!store_) store_.emplace(context_, block.steps());
      for (std::size_t row = 0; row < block.rows(); ++row) {
        if (!mask_any(block.mask(row), block.words())) continue;  // its drop_name must not count
        auto [place, is_new] = places.find_or_add(block.labels(row).labels);
        if (is_new) *place = store_->size();
        if (is_new && !held.add_bytes(bytes_of(block.labels(row).labels) + kTableEntryBytes)) return false;
        if (is_new ? !store_->add(block, row) : !unite(store_->rows()[*place], block, row)) return false;
      }
    }
    return store_.has_value() && !context_.failed();
  }

  bool unite(RowStore::Row& into, const Block& block, std::size_t row) {
    const MaskWord* mask = block.mask(row);
    for (std::size_t w = 0; w < block.words(); ++w) {
      if ((into.mask[w] & mask[w]) != 0) {
        context_.fail(execution_error(kSameLabelset));
        return false;
      }
    }
    // Whether the name stays is decided by the first sample, as upstream does.
    if (mask_first(mask, block.words()) < mask_first(into.mask.data(), into.mask.size())) {
      into.labels.drop_name = block.labels(row).drop_name;
    }
    mask_for_each(mask, block.words(), [&](std::size_t i) {
      into.values[i] = block.values(row)[i];
      mask_set(into.mask.data(), i);
    });
    return true;
  }

  QueryContext& context_;
  OperatorPtr input_;
  std::optional<RowStore> store_;
  RowStoreReader reader_;
};

}  // namespace

OperatorPtr make_merge_equal_rows(QueryContext& context, OperatorPtr input) {
  return std::make_unique<MergeEqualRows>(context, std::move(input));
}

}  // namespace pipit
