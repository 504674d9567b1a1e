#include "query/planner.h"

#include "query/aggregate.h"
#include "query/binary.h"
#include "query/duration_expr.h"
#include "query/function_table.h"
#include "query/instant_functions.h"
#include "query/range_function.h"
#include "query/row_store.h"
#include "query/selector.h"
#include "query/step_invariance.h"
#include "query/subquery.h"

namespace pipit {
namespace {

class NoSamples : public SampleStream {
 public:
  bool next() override { return false; }
  const RowLabels& labels() const override { return labels_; }
  std::span<const TimestampMs> times() const override { return {}; }
  std::span<const double> values() const override { return {}; }

 private:
  RowLabels labels_;
};

/// What an aggregation shows of the series that it puts together: of one group no labels, of a count no values.
SelectorNeeds needs_of(const AggregateExpr& aggregate) {
  SelectorNeeds needs;
  switch (aggregate.op) {
    case AggregateOp::sum:
    case AggregateOp::avg:
    case AggregateOp::count:
    case AggregateOp::min:
    case AggregateOp::max:
    case AggregateOp::group:
    case AggregateOp::stddev:
    case AggregateOp::stdvar:
    case AggregateOp::quantile:
      break;
    default:
      return needs;
  }
  needs.values = aggregate.op != AggregateOp::count && aggregate.op != AggregateOp::group;
  if (aggregate.without) return needs;
  if (aggregate.grouping.empty()) needs.labels = SelectorNeeds::Labels::none;
  if (aggregate.grouping == std::vector<std::string>{std::string(kMetricName)}) {
    needs.labels = SelectorNeeds::Labels::name;
  }
  return needs;
}

}  // namespace

OperatorPtr Planner::refuse(std::string message) {
  context_.fail(execution_error(std::move(message)));
  return make_empty();
}

std::optional<TimestampMs> Planner::at_time(const AtModifier& at) const {
  switch (at.kind) {
    case AtModifier::Kind::timestamp:
      return at.timestamp;
    case AtModifier::Kind::start:
      return context_.request().start;
    case AtModifier::Kind::end:
      return context_.request().end;
    default:
      return std::nullopt;
  }
}

OperatorPtr Planner::vector(const Expr& expr, const StepGrid& grid) {
  if (!context_.check()) return make_empty();
  if (const auto* e = expr.as<ParenExpr>()) return vector(*e->expr, grid);
  if (grid.count > 1 && is_step_invariant(expr)) {
    PlanScope scope(context_, expr, PlanScope::As::repeated);
    const ScopedSampleCount count(context_.sample_count(), grid.count);
    return scope.measured(make_repeat(vector(expr, grid.first_only()), grid));
  }
  if (const auto part = repeated_.find(expr); part.uses > 1) return shared_vector(expr, grid, part);
  PlanScope scope(context_, expr);
  return scope.measured(plan_vector(expr, grid));
}

OperatorPtr Planner::plan_vector(const Expr& expr, const StepGrid& grid) {
  if (const auto* e = expr.as<VectorSelector>()) return vector_selector(*e, grid, false);
  if (const auto* e = expr.as<AggregateExpr>()) return aggregate(*e, grid);
  if (const auto* e = expr.as<BinaryExpr>()) return binary(*e, grid);
  if (const auto* e = expr.as<Call>()) return call(expr, *e, grid);
  if (const auto* e = expr.as<UnaryExpr>()) {
    auto input = vector(*e->expr, grid);
    return e->negative ? make_negate(std::move(input)) : std::move(input);
  }
  return refuse("expected an instant vector, got " + std::string(value_type_name(expr.type)));
}

OperatorPtr Planner::vector_selector(const VectorSelector& selector, const StepGrid& grid, bool timestamps,
                                     SelectorNeeds needs) {
  auto offset = evaluate_duration(selector.offset, context_.request());
  if (!offset.ok()) return refuse(offset.error().message);
  RangeWindow window{context_.lookback(), *offset, at_time(selector.at)};
  if (reaches_too_far(grid, window)) return make_empty();
  if (selector.extension != RangeExtension::none) {
    window.after = context_.lookback();
    auto samples = make_range_selector(context_, selector, grid, window);
    auto smoothed = make_range_function(context_, {&smoothed_selector(), {}, {}, {}}, std::move(samples), grid, window);
    return timestamps ? make_evaluation_timestamp(std::move(smoothed), grid) : std::move(smoothed);
  }
  return make_vector_selector(context_, selector, grid, window,
                              timestamps ? SelectorValue::timestamp : SelectorValue::sample, needs);
}

Planner::Range Planner::range(const Expr& expr, const StepGrid& grid) {
  const Expr& inner = without_parens(expr);
  if (const auto* e = inner.as<MatrixSelector>()) return range_selector(*e, grid);
  if (const auto* e = inner.as<SubqueryExpr>()) {
    PlanScope scope(context_, inner);
    Range planned = subquery(*e, grid);
    planned.samples = scope.measured(std::move(planned.samples));
    return planned;
  }
  refuse("expected a range vector, got " + std::string(value_type_name(expr.type)));
  return {std::make_unique<NoSamples>(), {}};
}

Planner::Range Planner::range_selector(const MatrixSelector& matrix, const StepGrid& grid) {
  const auto& selector = *without_parens(*matrix.selector).as<VectorSelector>();
  Range result{std::make_unique<NoSamples>(), {}};
  auto range = evaluate_positive_duration(matrix.range, context_.request());
  auto offset = evaluate_duration(selector.offset, context_.request());
  if (!range.ok() || !offset.ok()) {
    refuse(range.ok() ? offset.error().message : range.error().message);
  } else {
    result.window = {*range, *offset, at_time(selector.at)};
    if (selector.extension != RangeExtension::none) result.window.before = context_.lookback();
    if (selector.extension == RangeExtension::smoothed) result.window.after = context_.lookback();
    if (!reaches_too_far(grid, result.window)) {
      result.samples = make_range_selector(context_, selector, grid, result.window);
      result.selector = &selector;
    }
  }
  return result;
}

Planner::Range Planner::subquery(const SubqueryExpr& subquery, const StepGrid& grid) {
  Range result{std::make_unique<NoSamples>(), {}};
  auto range = evaluate_positive_duration(subquery.range, context_.request());
  auto offset = evaluate_duration(subquery.offset, context_.request());
  bool default_step = !subquery.step.expr && subquery.step.constant == 0;
  auto step = default_step ? Result<DurationMs>(context_.default_subquery_step())
                           : evaluate_positive_duration(subquery.step, context_.request());
  for (const auto* duration : {&range, &offset, &step}) {
    if (duration->ok()) continue;
    refuse(duration->error().message);
    return result;
  }
  result.window = {*range, *offset, at_time(subquery.at)};
  if (reaches_too_far(grid, result.window)) return result;
  StepGrid inner = subquery_grid(grid, result.window, *step);
  if (inner.count == 0) return result;
  if (inner.count > context_.max_samples()) {
    context_.fail_for_samples();
    return result;
  }
  const ScopedSampleCount count(context_.sample_count(), 0);
  auto evaluation = vector(*subquery.expr, inner);
  if (inner.count > 1 && may_repeat_labels(*subquery.expr)) {
    evaluation = make_merge_equal_rows(context_, std::move(evaluation));
  }
  result.samples = make_subquery_stream(context_, std::move(evaluation), inner);
  return result;
}

/// The series that are put together. Of a selector's no more is read than the aggregation shows.
OperatorPtr Planner::aggregated(const AggregateExpr& aggregate, const StepGrid& grid) {
  const auto* selector = without_parens(*aggregate.expr).as<VectorSelector>();
  const bool repeats = grid.count > 1 && is_step_invariant(*aggregate.expr);
  if (selector == nullptr || repeats) return vector(*aggregate.expr, grid);
  if (!context_.check()) return make_empty();
  PlanScope scope(context_, *aggregate.expr);
  return scope.measured(vector_selector(*selector, grid, false, needs_of(aggregate)));
}

OperatorPtr Planner::aggregate(const AggregateExpr& aggregate, const StepGrid& grid) {
  auto input = aggregated(aggregate, grid);
  switch (aggregate.op) {
    case AggregateOp::topk:
    case AggregateOp::bottomk:
    case AggregateOp::limitk:
      return make_selecting_aggregate(context_, aggregate, std::move(input), scalar(*aggregate.param, grid), grid);
    case AggregateOp::limit_ratio:
      return make_limit_ratio(context_, std::move(input), scalar(*aggregate.param, grid), aggregate.param->position);
    case AggregateOp::quantile:
      return make_quantile_aggregate(context_, aggregate, std::move(input), scalar(*aggregate.param, grid), grid,
                                     aggregate.param->position);
    case AggregateOp::count_values:
      return make_count_values(context_, aggregate, std::move(input),
                               without_parens(*aggregate.param).as<StringLiteral>()->value, grid);
    default:
      return make_streaming_aggregate(context_, aggregate, std::move(input), grid);
  }
}

OperatorPtr Planner::trim(const BinaryExpr& binary) {
  const std::string op(binary_op_text(binary.op));
  context_.annotations().info(
      "incompatible sample types encountered for binary operator " + quoted(op) + ": float " + op + " float",
      {binary.lhs->position.start, binary.rhs->position.end});
  return make_empty();
}

OperatorPtr Planner::binary(const BinaryExpr& binary, const StepGrid& grid) {
  if (trims_histograms(binary.op)) return trim(binary);
  bool left_is_scalar = binary.lhs->type == ValueType::scalar;
  bool right_is_scalar = binary.rhs->type == ValueType::scalar;
  if (left_is_scalar) {
    auto left = scalar(*binary.lhs, grid);
    return make_vector_scalar_binary(binary, vector(*binary.rhs, grid), left, ScalarSide::left, grid);
  }
  if (right_is_scalar) {
    auto left = vector(*binary.lhs, grid);
    return make_vector_scalar_binary(binary, std::move(left), scalar(*binary.rhs, grid), ScalarSide::right, grid);
  }
  auto left = vector(*binary.lhs, grid);
  auto right = vector(*binary.rhs, grid);
  if (is_set_operator(binary.op)) return make_set_operator(context_, binary, std::move(left), std::move(right));
  return make_vector_binary(context_, binary, std::move(left), std::move(right), grid);
}

ScalarColumn Planner::scalar(const Expr& expr, const StepGrid& grid) {
  if (!context_.check()) return ScalarColumn();
  const Expr& inner = without_parens(expr);
  if (const auto* e = inner.as<NumberLiteral>()) return ScalarColumn(e->value);
  if (grid.count > 1 && is_step_invariant(inner)) {
    const ScopedSampleCount count(context_.sample_count(), grid.count);
    return ScalarColumn(scalar(inner, grid.first_only()).first());
  }
  if (const auto* e = inner.as<UnaryExpr>()) {
    auto column = scalar(*e->expr, grid);
    if (e->negative) {
      for (double& v : column.values()) v = -v;
    }
    return column;
  }
  if (const auto* e = inner.as<BinaryExpr>()) {
    if (trims_histograms(e->op)) {
      refuse("operator " + quoted(binary_op_text(e->op)) + " not allowed for Scalar operations");
      return ScalarColumn();
    }
    auto left = scalar(*e->lhs, grid);
    return combine_scalars(e->op, left, scalar(*e->rhs, grid));
  }
  if (const auto* e = inner.as<Call>()) {
    return e->function->name == "scalar" ? scalar_of_series(inner, *e, grid) : scalar_call(*e, grid);
  }
  refuse("expected a scalar, got " + std::string(value_type_name(expr.type)));
  return ScalarColumn();
}

std::vector<ScalarColumn> Planner::scalars(const std::vector<ExprPtr>& args, std::size_t first, const StepGrid& grid) {
  std::vector<ScalarColumn> columns;
  for (std::size_t i = first; i < args.size(); ++i) columns.push_back(scalar(*args[i], grid));
  return columns;
}

}  // namespace pipit
