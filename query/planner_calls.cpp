#include <algorithm>
#include <numbers>
#include <unordered_map>

#include "model/number.h"
#include "query/binary.h"
#include "query/classic_histogram.h"
#include "query/duration_expr.h"
#include "query/function_table.h"
#include "query/info_function.h"
#include "query/instant_functions.h"
#include "query/label_set.h"
#include "query/planner.h"
#include "query/range_function.h"
#include "query/selector.h"
#include "query/step_invariance.h"

namespace pipit {
namespace {

const std::string& text_of(const Expr& expr) { return without_parens(expr).as<StringLiteral>()->value; }

std::vector<std::string> texts_of(const std::vector<ExprPtr>& args, std::size_t first) {
  std::vector<std::string> texts;
  for (std::size_t i = first; i < args.size(); ++i) texts.push_back(text_of(*args[i]));
  return texts;
}

/// `anchored` or `smoothed` of a range argument.
RangeExtension extension_of(const Expr& expr) {
  const auto* matrix = without_parens(expr).as<MatrixSelector>();
  if (matrix == nullptr) return RangeExtension::none;
  return without_parens(*matrix->selector).as<VectorSelector>()->extension;
}

std::string extension_not_with(RangeExtension extension, const Call& call) {
  std::string message = extension == RangeExtension::anchored ? "anchored" : "smoothed";
  message.append(" modifier can only be used with: ").append(extended_function_names(extension));
  message.append(" - not with ").append(call.function->name);
  return message;
}

std::string not_supported(const Call& call) {
  return "function \"" + std::string(call.function->name) + "\" is not supported yet";
}

/// Each value is a label's value, and so a series of its own.
constexpr std::size_t kMaxQuantileValues = 100;

/// A quantile that changes from step to step is as many quantiles as it has values, each at its own steps. False when
/// there are too many.
bool add_quantiles(QueryContext& context, const ScalarColumn& q, PositionRange position, const StepGrid& grid,
                   HistogramQuantiles& call) {
  std::unordered_map<SymbolId, std::size_t> places;
  for (std::size_t step = 0; step < (q.constant() ? 1 : grid.count); ++step) {
    auto text = format_float_g(q.at(step));
    if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
    const SymbolId value = context.symbols().intern(text);
    const auto [place, is_new] = places.try_emplace(value, call.quantiles.size());
    if (is_new && places.size() > kMaxQuantileValues) return false;
    if (is_new) call.quantiles.push_back({ScalarColumn(q.at(step)), value, position, {}});
    if (q.constant()) return true;
    auto& steps = call.quantiles[place->second].steps;
    if (is_new) steps.resize(mask_words(grid.count));
    mask_set(steps.data(), step);
  }
  return true;
}

/// Functions that skip floats without start timestamps, and so all samples that there are.
bool reads_what_floats_lack(std::string_view name) {
  return name == "histogram_avg" || name == "histogram_count" || name == "histogram_stddev" ||
         name == "histogram_stdvar" || name == "histogram_sum" || name == "start_timestamp";
}

}  // namespace

OperatorPtr Planner::call(const Expr& expr, const Call& call, const StepGrid& grid) {
  std::string_view name = call.function->name;
  if (reads_what_floats_lack(name)) {
    // Planned for what may be wrong with it; what it gives is dropped.
    vector(*call.args[0], grid);
    return make_empty();
  }
  if (find_range_function(name) != nullptr) return range_call(call, grid);
  if (name == "absent" || name == "absent_over_time") return absent_call(call, grid);
  if (name == "info") return info_call(call, grid);
  if (name == "timestamp") return timestamp_call(call, grid);
  if (name == "vector") return make_vector_of_scalar(scalar(*call.args[0], grid), grid);
  if (name.starts_with("label_")) return label_call(call, grid);
  if (name.starts_with("sort")) return sort_call(expr, call, grid);
  if (name.starts_with("histogram_")) return histogram_call(call, grid);
  if (auto* function = find_math_function(name)) return make_sample_function(vector(*call.args[0], grid), function);
  if (auto* function = find_calendar_function(name)) {
    if (!call.args.empty()) return make_sample_function(vector(*call.args[0], grid), function);
    std::vector<double> now(grid.count);
    for (std::size_t i = 0; i < grid.count; ++i) now[i] = function(static_cast<double>(grid.time(i)) / 1000);
    return make_vector_of_scalar(ScalarColumn(std::move(now)), grid);
  }
  if (name == "round" || name.starts_with("clamp")) {
    auto input = vector(*call.args[0], grid);
    return make_bounded_function(name, std::move(input), scalars(call.args, 1, grid));
  }
  return refuse(not_supported(call));
}

OperatorPtr Planner::range_call(const Call& call, const StepGrid& grid) {
  RangeFunctionCall planned;
  planned.function = find_range_function(call.function->name);
  Range input;
  for (const auto& arg : call.args) {
    if (arg->type == ValueType::range_vector) {
      planned.range_position = arg->position;
      if (auto extension = extension_of(*arg); extension != RangeExtension::none) {
        planned.function = find_extended_function(call.function->name, extension);
        if (planned.function == nullptr) return refuse(extension_not_with(extension, call));
      }
      input = range(*arg, grid);
    } else {
      planned.args.push_back(scalar(*arg, grid));
    }
  }
  if (context_.failed()) return make_empty();
  if (planned.function->name == "quantile_over_time") planned.quantile_position = call.args[0]->position;
  if (input.selector != nullptr) {
    return make_range_function(context_, std::move(planned), *input.selector, grid, input.window);
  }
  return make_range_function(context_, std::move(planned), std::move(input.samples), grid, input.window);
}

OperatorPtr Planner::info_call(const Call& call, const StepGrid& grid) {
  const VectorSelector* selector = nullptr;
  if (call.args.size() > 1) {
    selector = without_parens(*call.args[1]).as<VectorSelector>();
    if (selector == nullptr) return refuse("expected label selectors as the second argument to info function");
  }
  RangeWindow window{context_.lookback(), 0, std::nullopt};
  add_reference_time(*call.args[0], window);
  if (reaches_too_far(grid, window)) return make_empty();
  return make_info(context_, vector(*call.args[0], grid), selector, grid, window);
}

void Planner::add_reference_time(const Expr& expr, RangeWindow& window) {
  auto enter = [&](const AtModifier& at, const DurationExpr& written) {
    auto offset = evaluate_duration(written, context_.request());
    if (!offset.ok()) return context_.fail(offset.error());
    if (auto time = at_time(at)) {
      window.at = time;
      window.offset = 0;
    }
    // Far is far: the sum must not overflow.
    window.offset =
        std::clamp(window.offset + std::clamp(*offset, -2 * kFarAway, 2 * kFarAway), -2 * kFarAway, 2 * kFarAway);
  };
  for (const Expr* inner = &expr; inner != nullptr && !context_.failed(); inner = first_series_operand(*inner)) {
    if (const auto* selector = inner->as<VectorSelector>()) enter(selector->at, selector->offset);
    if (const auto* subquery = inner->as<SubqueryExpr>()) enter(subquery->at, subquery->offset);
  }
}

OperatorPtr Planner::absent_call(const Call& call, const StepGrid& grid) {
  LabelSet labels = labels_of_absent(without_parens(*call.args[0]));
  if (call.function->name == "absent") return make_absent(vector(*call.args[0], grid), grid, std::move(labels));
  if (auto extension = extension_of(*call.args[0]); extension != RangeExtension::none) {
    return refuse(extension_not_with(extension, call));
  }
  auto input = range(*call.args[0], grid);
  return make_absent_over_time(context_, std::move(input.samples), grid, input.window, std::move(labels));
}

LabelSet Planner::labels_of_absent(const Expr& expr) {
  const Expr* selected = &expr;
  if (const auto* matrix = expr.as<MatrixSelector>()) selected = matrix->selector.get();
  const auto* selector = selected->as<VectorSelector>();
  if (selector == nullptr) return {};
  auto& symbols = context_.symbols();
  LabelSet labels;
  std::vector<SymbolId> seen;
  for (const auto& matcher : selector->matchers) {
    SymbolId name = symbols.intern(matcher.name());
    if (name == context_.name_id()) continue;
    bool first = std::find(seen.begin(), seen.end(), name) == seen.end();
    bool equal = matcher.type() == MatchType::equal;
    set_label(labels, name, first && equal ? symbols.intern(matcher.value()) : 0, symbols);
    if (equal) seen.push_back(name);
  }
  return labels;
}

OperatorPtr Planner::timestamp_call(const Call& call, const StepGrid& grid) {
  const Expr& argument = without_parens(*call.args[0]);
  if (const auto* selector = argument.as<VectorSelector>()) return vector_selector(*selector, grid, true);
  return make_evaluation_timestamp(vector(argument, grid), grid);
}

OperatorPtr Planner::label_call(const Call& call, const StepGrid& grid) {
  auto input = vector(*call.args[0], grid);
  if (call.function->name == "label_replace") {
    LabelReplace replace{text_of(*call.args[1]), text_of(*call.args[2]), text_of(*call.args[3]),
                         text_of(*call.args[4])};
    return make_label_replace(context_, std::move(input), replace);
  }
  return make_label_join(context_, std::move(input), text_of(*call.args[1]), text_of(*call.args[2]),
                         texts_of(call.args, 3));
}

OperatorPtr Planner::sort_call(const Expr& expr, const Call& call, const StepGrid& grid) {
  auto input = vector(*call.args[0], grid);
  if (grid.count > 1) {
    context_.annotations().warn("sort is ineffective for range queries since results are always ordered by labels",
                                expr.position);
    return input;
  }
  std::string_view name = call.function->name;
  bool descending = name.ends_with("_desc");
  if (name.starts_with("sort_by_label")) {
    return make_sort_by_label(context_, std::move(input), texts_of(call.args, 1), descending);
  }
  return make_sort(context_, std::move(input), descending);
}

OperatorPtr Planner::histogram_call(const Call& call, const StepGrid& grid) {
  std::string_view name = call.function->name;
  if (name == "histogram_quantiles") return histogram_quantiles(call, grid);
  if (name == "histogram_quantile") {
    HistogramQuantiles planned;
    planned.quantiles.push_back({scalar(*call.args[0], grid), 0, call.args[0]->position});
    planned.vector_position = call.args[1]->position;
    planned.grid = grid;
    return make_histogram_quantiles(context_, vector(*call.args[1], grid), std::move(planned));
  }
  if (name == "histogram_fraction") {
    auto lower = scalar(*call.args[0], grid);
    auto upper = scalar(*call.args[1], grid);
    return make_histogram_fraction(context_, vector(*call.args[2], grid), std::move(lower), std::move(upper),
                                   call.args[2]->position);
  }
  return refuse(not_supported(call));
}

OperatorPtr Planner::histogram_quantiles(const Call& call, const StepGrid& grid) {
  HistogramQuantiles planned;
  planned.vector_position = call.args[0]->position;
  planned.grid = grid;
  planned.label_name = context_.symbols().intern(text_of(*call.args[1]));
  for (std::size_t i = 2; i < call.args.size(); ++i) {
    if (add_quantiles(context_, scalar(*call.args[i], grid), call.args[i]->position, grid, planned)) continue;
    return refuse("histogram_quantiles: a quantile with more than " + std::to_string(kMaxQuantileValues) +
                  " values in a query is not supported");
  }
  return make_histogram_quantiles(context_, vector(*call.args[0], grid), std::move(planned));
}

ScalarColumn Planner::scalar_call(const Call& call, const StepGrid& grid) {
  std::string_view name = call.function->name;
  const auto& request = context_.request();
  auto seconds = [](DurationMs ms) { return static_cast<double>(ms) / 1000; };
  if (name == "pi") return ScalarColumn(std::numbers::pi);
  if (name == "start") return ScalarColumn(seconds(request.start));
  if (name == "end") return ScalarColumn(seconds(request.end));
  if (name == "step") return ScalarColumn(seconds(request.step));
  if (name == "range") return ScalarColumn(seconds(request.end - request.start));
  if (name == "scalar") return scalar_of_vector(vector(*call.args[0], grid), grid);
  if (name == "time") {
    std::vector<double> times(grid.count);
    for (std::size_t i = 0; i < grid.count; ++i) times[i] = seconds(grid.time(i));
    return ScalarColumn(std::move(times));
  }
  if (name == "min_of" || name == "max_of") {
    auto a = scalar(*call.args[0], grid);
    return extreme_of_scalars(a, scalar(*call.args[1], grid), name == "max_of");
  }
  refuse(not_supported(call));
  return ScalarColumn();
}

}  // namespace pipit
