#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "query/ast.h"
#include "query/operator.h"
#include "query/sample_stream.h"

namespace pipit {

class QueryContext;

/// What a node of a plan did. All but `series` and `samples`, which are what it gave, includes its inputs. What is
/// written twice has its inputs where it is first; samples are counted where they were first asked for.
struct PlanNode {
  std::string text;                ///< `sum by (job)`, `rate(up[5m])`
  std::uint64_t series = 0;        ///< rows that it gave
  std::uint64_t samples = 0;       ///< cells of these rows
  std::uint64_t samples_read = 0;  ///< from the store
  std::chrono::nanoseconds time{};
  std::vector<std::unique_ptr<PlanNode>> inputs;
};

/// Draws up a plan as a tree while it is made, and counts while it runs. Belongs to the query's thread.
class QueryProfile {
 public:
  /// The planner has come to an expression; what it comes to until `leave` are inputs.
  PlanNode* enter(std::string text);
  void leave();
  /// Null when nothing was planned, as for a number. A scalar may have several parts that read series: they are inputs
  /// of a node that stands for it.
  std::unique_ptr<PlanNode> take_root();

 private:
  PlanNode above_;
  std::vector<PlanNode*> open_;
};

/// Stands in the planner's functions for as long as they plan an expression. Does nothing when the query has no
/// profile.
class PlanScope {
 public:
  enum class As { computed, repeated, shared };
  PlanScope(QueryContext& context, const Expr& expr, As as = As::computed);
  PlanScope(const PlanScope&) = delete;
  ~PlanScope();

  /// Puts a counter on top of what was planned, if there is a profile.
  OperatorPtr measured(OperatorPtr planned);
  SampleStreamPtr measured(SampleStreamPtr planned);
  /// For what is computed while it is planned.
  void count_scalar(std::size_t steps);

 private:
  QueryContext& context_;
  PlanNode* node_ = nullptr;
  std::chrono::steady_clock::time_point start_;
  std::uint64_t read_before_ = 0;
};

}  // namespace pipit
