#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "query/ast.h"
#include "query/operator.h"
#include "query/query_context.h"
#include "query/repeated_parts.h"
#include "query/row_fan.h"
#include "query/sample_stream.h"
#include "query/scalar_column.h"
#include "query/selector.h"
#include "query/window.h"

namespace pipit {

struct FunctionSpec;

/// Turns a checked expression into operators for a grid of steps. The expression must outlive them.
///
/// Scalars are computed while planning, so that an operator has its arguments as columns. What does not depend on the
/// step is planned for one step and repeated. What is written twice is computed once (SharedRows), and series that
/// different functions want are read once (SharedScans).
///
/// After a failure (QueryContext::failed) the results are empty and not to be used.
class Planner {
 public:
  /// `query` is what will be planned, whole or in parts. It and the context must outlive the planner, and this all
  /// operators.
  Planner(QueryContext& context, const Expr& query) : context_(context), repeated_(query) {}

  OperatorPtr vector(const Expr& expr, const StepGrid& grid);
  ScalarColumn scalar(const Expr& expr, const StepGrid& grid);

  struct Range {
    SampleStreamPtr samples;
    RangeWindow window;
    const VectorSelector* selector = nullptr;  ///< that the samples are read by, if they are not a subquery's
  };
  /// All is planned: what is shared waits for no other place.
  void finish();
  /// A range selector or a subquery.
  Range range(const Expr& expr, const StepGrid& grid);

 private:
  /// A part of the query over some steps.
  struct Planned {
    std::uint32_t part;
    StepGrid grid;
    std::shared_ptr<SharedRows> rows;    ///< of a vector
    std::optional<ScalarColumn> column;  ///< of a scalar
    SampleCount::Scope* count = nullptr;
  };
  Planned* find_planned(std::uint32_t part, const StepGrid& grid);
  OperatorPtr shared_vector(const Expr& expr, const StepGrid& grid, RepeatedParts::Part part);
  ScalarColumn scalar_of_series(const Expr& expr, const Call& call, const StepGrid& grid);
  /// The same without the counter of a profile.
  OperatorPtr plan_vector(const Expr& expr, const StepGrid& grid);
  OperatorPtr vector_selector(const VectorSelector& selector, const StepGrid& grid, bool timestamps,
                              SelectorNeeds needs = {});
  Range range_selector(const MatrixSelector& matrix, const StepGrid& grid);
  Range subquery(const SubqueryExpr& subquery, const StepGrid& grid);
  OperatorPtr aggregate(const AggregateExpr& aggregate, const StepGrid& grid);
  OperatorPtr aggregated(const AggregateExpr& aggregate, const StepGrid& grid);
  /// `</` and `>/` drop samples that are no native histograms, and so all that there are.
  OperatorPtr trim(const BinaryExpr& binary);
  OperatorPtr binary(const BinaryExpr& binary, const StepGrid& grid);
  OperatorPtr call(const Expr& expr, const Call& call, const StepGrid& grid);
  OperatorPtr range_call(const Call& call, const StepGrid& grid);
  OperatorPtr label_call(const Call& call, const StepGrid& grid);
  OperatorPtr sort_call(const Expr& expr, const Call& call, const StepGrid& grid);
  OperatorPtr histogram_call(const Call& call, const StepGrid& grid);
  OperatorPtr histogram_quantiles(const Call& call, const StepGrid& grid);
  OperatorPtr timestamp_call(const Call& call, const StepGrid& grid);
  OperatorPtr info_call(const Call& call, const StepGrid& grid);
  /// As of when an expression's first selector reads, from the offsets and `@` on the way to it.
  void add_reference_time(const Expr& expr, RangeWindow& window);
  OperatorPtr absent_call(const Call& call, const StepGrid& grid);
  ScalarColumn scalar_call(const Call& call, const StepGrid& grid);
  std::vector<ScalarColumn> scalars(const std::vector<ExprPtr>& args, std::size_t first, const StepGrid& grid);

  /// The labels that absent(), absent_over_time() give: what `expr` asks for with `=`, once each.
  LabelSet labels_of_absent(const Expr& expr);
  std::optional<TimestampMs> at_time(const AtModifier& at) const;
  OperatorPtr refuse(std::string message);

  QueryContext& context_;
  RepeatedParts repeated_;
  std::vector<Planned> planned_;
};

}  // namespace pipit
