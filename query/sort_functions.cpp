#include <algorithm>
#include <cmath>
#include <optional>

#include "query/instant_functions.h"
#include "query/interruptible_sort.h"
#include "query/label_set.h"
#include "query/row_store.h"

namespace pipit {
namespace {

template <class Less>
class SortRows : public Operator {
 public:
  SortRows(QueryContext& context, OperatorPtr input, Less less)
      : context_(context), input_(std::move(input)), less_(std::move(less)) {}

  bool next(Block& out) override {
    if (!store_) {
      store_.emplace(context_, 1);
      while (input_->next(out)) {
        for (std::size_t row = 0; row < out.rows(); ++row) {
          if (!store_->add(out, row)) return false;
        }
      }
      auto& rows = store_->rows();
      if (!sort_interruptibly(rows.begin(), rows.end(), less_, [this] { return context_.check(); })) return false;
    }
    return reader_.next(*store_, out);
  }

 private:
  QueryContext& context_;
  OperatorPtr input_;
  Less less_;
  std::optional<RowStore> store_;
  RowStoreReader reader_;
};

template <class Less>
OperatorPtr sort_rows(QueryContext& context, OperatorPtr input, Less less) {
  return std::make_unique<SortRows<Less>>(context, std::move(input), std::move(less));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes a run of digits or of other bytes off the front.
std::string_view take_chunk(std::string_view& text) {
  std::size_t n = 1;
  while (n < text.size() && is_digit(text[n]) == is_digit(text[0])) ++n;
  auto chunk = text.substr(0, n);
  text.remove_prefix(n);
  return chunk;
}

/// Negative, 0, positive. Digits compare as numbers of any length, of equal ones the one with fewer zeros in front
/// first.
int compare_numbers(std::string_view a, std::string_view b) {
  auto significant = [](std::string_view n) { return n.substr(std::min(n.find_first_not_of('0'), n.size())); };
  auto x = significant(a);
  auto y = significant(b);
  if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
  if (int order = x.compare(y); order != 0) return order;
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

/// Texts in the order in which people count: "4m5" before "4m10". Negative, 0, positive.
int compare_natural(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    bool both_numbers = is_digit(a[0]) && is_digit(b[0]);
    auto x = take_chunk(a);
    auto y = take_chunk(b);
    int order = both_numbers ? compare_numbers(x, y) : x.compare(y);
    if (order != 0) return order;
  }
  return a.empty() && b.empty() ? 0 : a.empty() ? -1 : 1;
}

}  // namespace

OperatorPtr make_sort(QueryContext& context, OperatorPtr input, bool descending) {
  return sort_rows(context, std::move(input), [descending](const RowStore::Row& a, const RowStore::Row& b) {
    double x = a.values[0];
    double y = b.values[0];
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return descending ? x > y : x < y;
  });
}

OperatorPtr make_sort_by_label(QueryContext& context, OperatorPtr input, const std::vector<std::string>& names,
                               bool descending) {
  auto& symbols = context.symbols();
  auto less = [&symbols, ids = intern_all(names, symbols)](const LabelSet& a, const LabelSet& b) {
    for (SymbolId id : ids) {
      SymbolId x = get_label(a, id);
      SymbolId y = get_label(b, id);
      if (x != y) return compare_natural(symbols.text(x), symbols.text(y)) < 0;
    }
    return labels_less(a, b, symbols);
  };
  return sort_rows(
      context, std::move(input), [less = std::move(less), descending](const RowStore::Row& a, const RowStore::Row& b) {
        return descending ? less(b.labels.labels, a.labels.labels) : less(a.labels.labels, b.labels.labels);
      });
}

}  // namespace pipit
