#include "query/engine.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "query/active_queries.h"
#include "query/answer.h"
#include "query/duration_expr.h"
#include "query/parser.h"
#include "query/planner.h"
#include "query/query_context.h"
#include "query/query_gate.h"
#include "query/row_store.h"
#include "query/step_invariance.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

using Clock = QueryContext::Clock;

struct EngineMetrics {
  explicit EngineMetrics(MetricsRegistry& registry)
      : running(registry.gauge("pipit_engine_queries", "Queries that run now or wait for their turn.")),
        concurrent_max(registry.gauge("pipit_engine_queries_concurrent_max", "How many queries may run at a time.")),
        succeeded(outcome(registry, "success")),
        failed(outcome(registry, "error")),
        timed_out(outcome(registry, "timeout")),
        canceled(outcome(registry, "canceled")),
        samples_read(registry.counter("pipit_engine_query_samples_total", "Samples that queries have read.")),
        duration(registry.histogram("pipit_engine_query_duration_seconds", "How long queries took, with their wait.",
                                    {0.001, 0.01, 0.1, 1, 10, 100})) {}

  static Counter& outcome(MetricsRegistry& registry, const char* result) {
    return registry.counter("pipit_engine_queries_total", "Queries that have ended, by their result.",
                            {{"result", result}});
  }
  Counter& of(ErrorKind kind) {
    return kind == ErrorKind::timeout ? timed_out : kind == ErrorKind::canceled ? canceled : failed;
  }

  Gauge& running;
  Gauge& concurrent_max;
  Counter& succeeded;
  Counter& failed;
  Counter& timed_out;
  Counter& canceled;
  Counter& samples_read;
  Histogram& duration;
};

/// The steps of a request, or why there can't be any.
Result<StepGrid> grid_of(const QueryRequest& request) {
  if (request.step < 0) return bad_data("zero or negative query resolution step widths are not accepted");
  if (request.end < request.start) return bad_data("end timestamp must not be before start time");
  if (!request.is_range()) return StepGrid{request.start, 1, 1};
  // Unsigned, as the distance of two times may not fit otherwise.
  std::uint64_t steps = (static_cast<std::uint64_t>(request.end) - static_cast<std::uint64_t>(request.start)) /
                        static_cast<std::uint64_t>(request.step);
  if (steps > static_cast<std::uint64_t>(Engine::kMaxPointsPerSeries)) {
    return bad_data(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
  }
  if (request.start < -kFarAway || request.end > kFarAway) return bad_data("start or end time out of range");
  return StepGrid{request.start, request.step, static_cast<std::size_t>(steps) + 1};
}

/// What a range query can't be: `expected type, got` in upstream's words.
Status check_type(const Expr& expr, const QueryRequest& request) {
  if (!request.is_range()) return {};
  if (expr.type == ValueType::scalar || expr.type == ValueType::instant_vector) return {};
  return bad_data("invalid expression type " + quoted(value_type_name(expr.type)) +
                  " for range query, must be Scalar or instant Vector");
}

/// Whether a range selector is `anchored` or `smoothed`, which changes what functions make of it.
bool is_extended(const Expr& expr) {
  const auto* matrix = without_parens(expr).as<MatrixSelector>();
  if (matrix == nullptr) return false;
  return without_parens(*matrix->selector).as<VectorSelector>()->extension != RangeExtension::none;
}

/// Threads beside those that the queries come on.
unsigned helpers_of(const EngineOptions& options) {
  const unsigned threads = options.threads != 0 ? options.threads : std::thread::hardware_concurrency();
  return threads > 1 ? threads - 1 : 0;
}

void evaluate(QueryContext& context, const Expr& expr, const StepGrid& grid, QueryResult& result) {
  const auto begin = Clock::now();
  if (Status status = check_durations(expr, context.request()); !status.ok()) return context.fail(status.error());
  Planner planner(context, expr);
  bool is_range = context.request().is_range();
  switch (expr.type) {
    case ValueType::string:
      result.type = ResultType::string;
      result.text = without_parens(expr).as<StringLiteral>()->value;
      result.string_time = grid.start;
      return;
    case ValueType::scalar:
      result.type = is_range ? ResultType::matrix : ResultType::scalar;
      return collect_scalar(planner.scalar(expr, grid), grid, result);
    case ValueType::range_vector:
      if (is_extended(expr)) {
        return context.fail(execution_error("anchored and smoothed are supported in the argument of a function only"));
      }
      return collect_samples(context, *planner.range(expr, grid).samples, result);
    case ValueType::instant_vector: {
      auto root = planner.vector(expr, grid);
      if (is_range && may_mix_names(expr)) root = make_merge_equal_rows(context, std::move(root));
      planner.finish();
      result.stats.prepare = std::chrono::duration<double>(Clock::now() - begin).count();
      return is_range ? collect_matrix(context, *root, grid, result) : collect_vector(context, *root, grid, result);
    }
  }
}

}  // namespace

class Engine::Impl {
 public:
  Impl(const Queryable& source, const EngineOptions& options, MetricsRegistry& registry)
      : source_(source),
        options_(options),
        gate_(std::max(1U, options.max_concurrency)),
        threads_(helpers_of(options)),
        metrics_(registry) {
    metrics_.concurrent_max.set(std::max(1U, options.max_concurrency));
  }

  Result<QueryResult> query(const QueryRequest& request) {
    auto begin = Clock::now();
    metrics_.running.add(1);
    auto result = run(request, begin);
    metrics_.running.add(-1);
    metrics_.duration.observe(std::chrono::duration<double>(Clock::now() - begin).count());
    (result.ok() ? metrics_.succeeded : metrics_.of(result.error().kind)).add();
    return result;
  }

 private:
  Result<QueryResult> run(const QueryRequest& request, Clock::time_point begin) {
    auto grid = grid_of(request);
    if (!grid.ok()) return grid.error();
    const auto parsed_expr = parse_query(request.expr);
    if (!parsed_expr.ok()) return parsed_expr.error();
    const Expr& expr = **parsed_expr;
    if (auto status = check_type(expr, request); !status.ok()) return status.error();
    DurationMs timeout = request.timeout > 0 ? std::min(request.timeout, options_.timeout) : options_.timeout;
    auto deadline = begin + std::chrono::milliseconds(timeout);
    const auto parsed = Clock::now();
    const auto place = gate_.enter(deadline, request.canceled);
    if (!place.ok()) return named(place.error());
    const auto entered = Clock::now();
    auto result = evaluate_or_run_out(request, expr, *grid, deadline);
    if (result.ok()) {
      QueryStats& stats = result->stats;
      stats.prepare += seconds(parsed - begin);
      stats.queue = seconds(entered - parsed);
      stats.total = seconds(Clock::now() - begin);
      stats.evaluate = stats.total - stats.queue;
    }
    return result;
  }

  static double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

  /// A query that waited in vain learns how many were before it.
  Error named(Error error) const {
    if (error.kind != ErrorKind::timeout) return error;
    error.message += ": as many queries as --query.max-concurrency allows, " +
                     std::to_string(std::max(1U, options_.max_concurrency)) + ", were running";
    return error;
  }

  /// The limits keep queries small enough; should one still be too big for the machine, it ends alone.
  Result<QueryResult> evaluate_or_run_out(const QueryRequest& request, const Expr& expr, const StepGrid& grid,
                                          Clock::time_point deadline) {
    try {
      return evaluate_within_gate(request, expr, grid, deadline);
    } catch (const std::bad_alloc&) {
    } catch (const std::length_error&) {
    }
    return execution_error("not enough memory for the query");
  }

  Result<QueryResult> evaluate_within_gate(const QueryRequest& request, const Expr& expr, const StepGrid& grid,
                                           Clock::time_point deadline) {
    const ActiveQueries::Entry entry(options_.active_queries, request.expr);
    QueryContext context(source_, request, options_, deadline, threads_);
    QueryResult result;
    evaluate(context, expr, grid, result);
    result.stats.samples_read = context.samples_read();
    result.stats.queryable_samples = context.sample_count().total();
    result.stats.peak_samples = context.most_held();
    result.stats.peak_memory = context.most_memory();
    metrics_.samples_read.add(static_cast<double>(context.samples_read()));
    if (context.failed()) return context.error();
    result.symbols = context.shared_symbols();
    result.warnings = context.annotations().take_warnings();
    result.infos = context.annotations().take_infos();
    if (context.profile() != nullptr) result.plan = context.profile()->take_root();
    return result;
  }

  const Queryable& source_;
  EngineOptions options_;
  QueryGate gate_;
  ThreadBudget threads_;
  EngineMetrics metrics_;
};

Engine::Engine(const Queryable& source, EngineOptions options, MetricsRegistry& metrics)
    : impl_(std::make_unique<Impl>(source, options, metrics)) {}
Engine::~Engine() = default;

Result<QueryResult> Engine::query(const QueryRequest& request) const { return impl_->query(request); }

}  // namespace pipit
