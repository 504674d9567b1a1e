#include "query/info_function.h"

#include <algorithm>
#include <map>

#include "model/labels.h"
#include "query/label_set.h"
#include "query/label_table.h"
#include "query/row_store.h"
#include "query/selector.h"

namespace pipit {
namespace {

bool is_name_matcher(const Matcher& m) { return m.name() == kMetricName; }
bool is_positive(const Matcher& m) { return m.type() == MatchType::equal || m.type() == MatchType::regex; }

class Info : public Operator {
 public:
  Info(QueryContext& context, OperatorPtr base, const VectorSelector* selector, const StepGrid& grid,
       const RangeWindow& window)
      : context_(context),
        base_(std::move(base)),
        grid_(grid),
        window_(window),
        identity_{context.symbols().intern("instance"), context.symbols().intern("job")},
        held_(context),
        info_(context, grid.count) {
    if (selector != nullptr) info_selector_.matchers = selector->matchers;
    for (const auto& matcher : info_selector_.matchers) {
      if (is_name_matcher(matcher)) continue;
      data_labels_.push_back(context.symbols().intern(matcher.name()));
      needs_match_ = needs_match_ || !matcher.matches_empty();
    }
    name_info_metrics();
  }

  bool next(Block& out) override {
    if (!read_) {
      read_ = true;
      read_info_side(out);
    }
    out.reset(grid_.count);
    while (!out.full() && !context_.failed()) {
      if (base_row_ >= base_block_.rows()) {
        if (!base_->next(base_block_)) break;
        base_row_ = 0;
      }
      enrich(base_block_, base_row_++, out);
    }
    return !context_.failed() && !out.empty();
  }

 private:
  /// Info series of one identity, by metric name.
  using Identity = std::map<SymbolId, std::vector<std::size_t>>;
  /// The info series that one sample gets its labels from.
  using Sources = std::vector<std::size_t>;

  /// Without a name, `target_info`; with names that are ruled out only, the rest of all info metrics.
  void name_info_metrics() {
    auto& matchers = info_selector_.matchers;
    if (std::none_of(matchers.begin(), matchers.end(), is_name_matcher)) {
      matchers.push_back(Matcher::equal(std::string(kMetricName), "target_info"));
    } else if (std::none_of(matchers.begin(), matchers.end(),
                            [](const Matcher& m) { return is_name_matcher(m) && is_positive(m); })) {
      auto any_info = Matcher::make(MatchType::regex, std::string(kMetricName), ".+_info");
      if (any_info.ok()) matchers.push_back(std::move(*any_info));
    }
  }

  /// The identifying labels, in their order; "" for a missing one.
  LabelSet identity_of(const LabelSet& labels) const {
    LabelSet identity;
    for (SymbolId name : identity_) identity.push_back({name, get_label(labels, name)});
    return identity;
  }

  void read_info_side(Block& block) {
    // Times instead of values: of two info series that say the same, the one that was seen last is right.
    auto series = make_vector_selector(context_, info_selector_, grid_, window_, SelectorValue::timestamp);
    while (series->next(block)) {
      for (std::size_t row = 0; row < block.rows(); ++row) {
        const auto& labels = block.labels(row).labels;
        const LabelSet identity = identity_of(labels);
        const std::size_t bytes = bytes_of(identity) + 2 * kTableEntryBytes + sizeof(Identity) + sizeof(Sources);
        (*identities_.find_or_add(identity).first)[get_label(labels, context_.name_id())].push_back(info_.size());
        if (!held_.add_bytes(bytes) || !info_.add(block, row)) return;
      }
    }
  }

  bool is_info_series(const LabelSet& labels) const {
    auto name = context_.symbols().text(get_label(labels, context_.name_id()));
    return std::all_of(info_selector_.matchers.begin(), info_selector_.matchers.end(),
                       [&](const Matcher& m) { return !is_name_matcher(m) || m.matches(name); });
  }

  void enrich(const Block& base, std::size_t row, Block& out) {
    const auto& labels = base.labels(row);
    const Identity* identity = identities_.find(identity_of(labels.labels));
    bool has_identity = std::any_of(identity_.begin(), identity_.end(),
                                    [&](SymbolId name) { return get_label(labels.labels, name) != 0; });
    bool pass = is_info_series(labels.labels);
    bool unmatched = identity == nullptr || !has_identity;
    std::map<Sources, std::size_t> rows;
    mask_for_each(base.mask(row), base.words(), [&](std::size_t i) {
      Sources sources;
      if (!pass && !unmatched) sources = sources_at(*identity, i);
      if (context_.failed() || (!pass && sources.empty() && needs_match_)) return;
      auto [place, is_new] = rows.try_emplace(sources, out.rows());
      if (is_new) out.add_row(enriched(labels.labels, sources), labels.drop_name);
      out.set(place->second, i, base.values(row)[i]);
    });
  }

  /// Of each info metric the series with the newest sample.
  Sources sources_at(const Identity& identity, std::size_t step) {
    Sources sources;
    for (const auto& [name, candidates] : identity) {
      const RowStore::Row* newest = nullptr;
      for (std::size_t index : candidates) {
        const auto& row = info_.rows()[index];
        if (!mask_get(row.mask.data(), step)) continue;
        if (newest != nullptr && newest->values[step] == row.values[step]) fail_as_duplicate(*newest, row);
        if (newest != nullptr && newest->values[step] >= row.values[step]) continue;
        if (newest != nullptr) sources.pop_back();
        newest = &row;
        sources.push_back(index);
      }
    }
    return sources;
  }

  void fail_as_duplicate(const RowStore::Row& a, const RowStore::Row& b) {
    const auto& symbols = context_.symbols();
    context_.fail(execution_error("found duplicate series for info metric: existing " +
                                  labels_text(a.labels.labels, symbols) + ", new " +
                                  labels_text(b.labels.labels, symbols)));
  }

  /// The base series' own labels win.
  LabelSet enriched(const LabelSet& base, const Sources& sources) {
    LabelSet labels = base;
    for (std::size_t index : sources) {
      for (const auto& label : info_.rows()[index].labels.labels) {
        bool identifies = std::find(identity_.begin(), identity_.end(), label.name) != identity_.end();
        bool wanted = data_labels_.empty() ||
                      std::find(data_labels_.begin(), data_labels_.end(), label.name) != data_labels_.end();
        if (identifies || !wanted || context_.is_metadata_label(label.name) || get_label(base, label.name) != 0) {
          continue;
        }
        SymbolId before = get_label(labels, label.name);
        if (before != 0 && before != label.value) {
          context_.fail(execution_error("conflicting label: " + std::string(context_.symbols().text(label.name))));
        }
        set_label(labels, label.name, label.value, context_.symbols());
      }
    }
    return labels;
  }

  QueryContext& context_;
  OperatorPtr base_;
  StepGrid grid_;
  RangeWindow window_;
  std::vector<SymbolId> identity_;
  VectorSelector info_selector_;
  std::vector<SymbolId> data_labels_;  ///< the only labels to add; empty: all
  bool needs_match_ = false;           ///< samples without an info series go
  HeldCells held_;                     ///< beside the store
  RowStore info_;
  LabelTable<Identity> identities_;
  Block base_block_;
  std::size_t base_row_ = 0;
  bool read_ = false;
};

}  // namespace

OperatorPtr make_info(QueryContext& context, OperatorPtr base, const VectorSelector* selector, const StepGrid& grid,
                      const RangeWindow& window) {
  return std::make_unique<Info>(context, std::move(base), selector, grid, window);
}

}  // namespace pipit
