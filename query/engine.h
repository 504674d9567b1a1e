#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/result.h"
#include "model/sample.h"
#include "model/symbol_table.h"
#include "query/ast.h"
#include "query/cell_arena.h"
#include "storage/queryable.h"

namespace pipit {

class ActiveQueries;
class MetricsRegistry;
struct PlanNode;

struct EngineOptions {
  DurationMs lookback_delta = DurationMs{5} * 60'000;
  DurationMs timeout = DurationMs{2} * 60'000;
  std::uint64_t max_samples = 50'000'000;
  std::uint64_t max_memory = std::uint64_t{1} << 30;  ///< bytes that a query may hold
  unsigned max_concurrency = 20;
  /// On which a query that has much to read works: its caller's and helpers, which all queries share. 0: one a core.
  unsigned threads = 0;
  /// The resolution of a subquery that names none: the global evaluation interval.
  DurationMs default_subquery_step = 60'000;
  /// Where running queries are noted; may be null. Must outlive the engine.
  ActiveQueries* active_queries = nullptr;
};

/// What a query asks for. An instant query has start == end and step 0.
struct QueryRequest {
  std::string expr;
  TimestampMs start = 0;
  TimestampMs end = 0;
  DurationMs step = 0;                          ///< > 0 for a range query
  DurationMs lookback_delta = 0;                ///< 0: the engine's
  DurationMs timeout = 0;                       ///< 0: the engine's; never more than that
  const std::atomic<bool>* canceled = nullptr;  ///< set it from another thread to end the query
  bool explain = false;                         ///< the result gets its plan, with what each node did
  bool is_range() const { return step > 0; }
};

/// One series of an answer.
struct ResultSeries {
  LabelSet labels;
  /// Shared by all series that have a point at every step, else the series' own. values.size() == times->size().
  std::shared_ptr<const std::vector<TimestampMs>> times;
  CellVector values;
};

/// What a query cost. Times in seconds; each but `queue` and `total` is a part of `evaluate`.
struct QueryStats {
  double queue = 0;     ///< waiting for its turn
  double prepare = 0;   ///< parsing and planning; what scalars are made of is evaluated while planning
  double evaluate = 0;  ///< all but waiting
  double sort = 0;      ///< the answer
  double total = 0;
  std::uint64_t samples_read = 0;       ///< from the store
  std::uint64_t queryable_samples = 0;  ///< see SampleCount
  std::uint64_t peak_samples = 0;       ///< samples and cells that were held at a time
  std::uint64_t peak_memory = 0;        ///< bytes of these, of labels and of what finds them
};

enum class ResultType { scalar, string, vector, matrix };

/// The answer to a query. Scalar: one series without labels and one point. Vector: a point a series.
/// String: `text` at `string_time`. Labels are ids of `symbols`.
struct QueryResult {
  QueryResult() = default;
  QueryResult(const QueryResult&) = default;
  QueryResult(QueryResult&&) = default;
  /// The series go before the cells that they are in.
  QueryResult& operator=(QueryResult&& other) noexcept {
    if (this != &other) {
      std::destroy_at(this);
      std::construct_at(this, std::move(other));
    }
    return *this;
  }

  ResultType type = ResultType::vector;
  std::shared_ptr<const SymbolTable> symbols;
  std::shared_ptr<CellArena> cells;  ///< which the series' values may be in; null when they aren't
  std::vector<ResultSeries> series;
  std::string text;
  TimestampMs string_time = 0;
  std::vector<std::string> warnings;
  std::vector<std::string> infos;
  QueryStats stats;
  std::shared_ptr<const PlanNode> plan;  ///< with QueryRequest::explain, of a query that reads series
};

/// Evaluates PromQL. Thread-safe; each query runs on the caller's thread, and on others beside it while it reads many
/// samples. The answer does not depend on their number.
///
/// Errors: bad_data for a query that does not parse; execution for a limit or an impossible match; timeout;
/// canceled. Wordings are Prometheus's.
class Engine {
 public:
  /// `source` and `metrics` must outlive the engine.
  Engine(const Queryable& source, EngineOptions options, MetricsRegistry& metrics);
  ~Engine();

  Result<QueryResult> query(const QueryRequest& request) const;

  /// A range query of more than this many steps is refused, as Prometheus's API does.
  static constexpr std::int64_t kMaxPointsPerSeries = 11'000;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pipit
