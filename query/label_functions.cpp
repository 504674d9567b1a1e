#include <optional>

#include "model/labels.h"
#include "model/matcher.h"
#include "query/instant_functions.h"
#include "query/label_set.h"
#include "query/row_store.h"

namespace pipit {
namespace {

/// Sets one label of every row to what `value` makes of the row's labels, and watches that no two series become one.
/// `value(labels)` gives the new value's id, or nothing to leave the row alone.
template <class Value>
class SetLabel : public Operator {
 public:
  SetLabel(QueryContext& context, OperatorPtr input, SymbolId destination, Value value)
      : context_(context),
        input_(std::move(input)),
        destination_(destination),
        value_(std::move(value)),
        guard_(context) {}

  bool next(Block& out) override {
    if (!input_->next(out)) return false;
    for (std::size_t row = 0; row < out.rows(); ++row) {
      auto& labels = out.labels(row);
      if (std::optional<SymbolId> value = value_(labels.labels)) {
        set_label(labels.labels, destination_, *value, context_.symbols());
        // A name that was set by hand is meant to stay.
        if (destination_ == context_.name_id()) labels.drop_name = false;
      }
      if (!guard_.admit(labels.labels, out.mask(row), out.words())) return false;
    }
    return true;
  }

 private:
  QueryContext& context_;
  OperatorPtr input_;
  SymbolId destination_;
  Value value_;
  DuplicateGuard guard_;
};

template <class Value>
OperatorPtr set_label_operator(QueryContext& context, OperatorPtr input, SymbolId destination, Value value) {
  return std::make_unique<SetLabel<Value>>(context, std::move(input), destination, std::move(value));
}

bool is_label_name(std::string_view name) { return !name.empty() && is_valid_utf8(name); }

}  // namespace

OperatorPtr make_label_replace(QueryContext& context, OperatorPtr input, const LabelReplace& call) {
  auto regex = Regex::compile(call.regex);
  if (!regex.ok()) {
    context.fail(execution_error("invalid regular expression in label_replace(): " + call.regex));
    return make_empty();
  }
  if (!is_label_name(call.destination)) {
    context.fail(execution_error("invalid destination label name in label_replace(): " + call.destination));
    return make_empty();
  }
  auto& symbols = context.symbols();
  auto source = symbols.intern(call.source);
  auto value = [&symbols, source, regex = std::move(*regex),
                replacement = call.replacement](const LabelSet& labels) -> std::optional<SymbolId> {
    std::string replaced;
    if (!regex.full_match_expand(symbols.text(get_label(labels, source)), replacement, replaced)) return std::nullopt;
    return symbols.intern(replaced);
  };
  return set_label_operator(context, std::move(input), symbols.intern(call.destination), std::move(value));
}

OperatorPtr make_label_join(QueryContext& context, OperatorPtr input, const std::string& destination,
                            const std::string& separator, const std::vector<std::string>& sources) {
  for (const auto& source : sources) {
    if (is_label_name(source)) continue;
    context.fail(execution_error("invalid source label name in label_join(): " + source));
    return make_empty();
  }
  if (!is_label_name(destination)) {
    context.fail(execution_error("invalid destination label name in label_join(): " + destination));
    return make_empty();
  }
  auto& symbols = context.symbols();
  auto value = [&symbols, separator,
                names = intern_all(sources, symbols)](const LabelSet& labels) -> std::optional<SymbolId> {
    std::string joined;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (i > 0) joined += separator;
      joined += symbols.text(get_label(labels, names[i]));
    }
    return symbols.intern(joined);
  };
  return set_label_operator(context, std::move(input), symbols.intern(destination), std::move(value));
}

}  // namespace pipit
