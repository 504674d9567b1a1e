#include <algorithm>

#include "query/planner.h"
#include "query/step_invariance.h"

namespace pipit {

Planner::Planned* Planner::find_planned(std::uint32_t part, const StepGrid& grid) {
  const auto found = std::find_if(planned_.begin(), planned_.end(), [&](const Planned& planned) {
    return planned.part == part && planned.grid.start == grid.start && planned.grid.step == grid.step &&
           planned.grid.count == grid.count;
  });
  return found == planned_.end() ? nullptr : &*found;
}

/// An operator for one of the places at which a vector is written. Places that have other steps, or are never planned,
/// make it have fewer readers than it could.
OperatorPtr Planner::shared_vector(const Expr& expr, const StepGrid& grid, RepeatedParts::Part part) {
  if (const Planned* planned = find_planned(part.id, grid)) {
    PlanScope scope(context_, expr, PlanScope::As::shared);
    if (auto reader = planned->rows->claim()) {
      planned->count->repeat();
      return scope.measured(std::move(reader));
    }
    return scope.measured(plan_vector(expr, grid));
  }
  PlanScope scope(context_, expr);
  ScopedSampleCount count(context_.sample_count(), 1);
  auto source = scope.measured(plan_vector(expr, grid));
  auto again = [this, &expr, grid] {
    // Planning may run a part of the query, for scalar(), and that may come here once more.
    const bool was_paused = context_.pause_profile(true);
    const ScopedSampleCount counted_already(context_.sample_count(), 0);
    auto planned = plan_vector(expr, grid);
    context_.pause_profile(was_paused);
    return planned;
  };
  auto rows = std::make_shared<SharedRows>(context_, std::move(source), part.uses, std::move(again));
  planned_.push_back({part.id, grid, rows, std::nullopt, &count.scope()});
  return rows->claim();
}

/// scalar(), once for all places at which it is written.
ScalarColumn Planner::scalar_of_series(const Expr& expr, const Call& call, const StepGrid& grid) {
  const auto part = repeated_.find(expr);
  const Planned* planned = part.uses > 1 ? find_planned(part.id, grid) : nullptr;
  PlanScope scope(context_, expr, planned != nullptr ? PlanScope::As::shared : PlanScope::As::computed);
  scope.count_scalar(grid.count);
  if (planned != nullptr) {
    planned->count->repeat();
    return *planned->column;
  }
  ScopedSampleCount count(context_.sample_count(), 1);
  auto column = scalar_call(call, grid);
  if (part.uses > 1) planned_.push_back({part.id, grid, nullptr, column, &count.scope()});
  return column;
}

void Planner::finish() {
  for (const Planned& planned : planned_) {
    if (planned.rows) planned.rows->close_rest();
  }
}

}  // namespace pipit
