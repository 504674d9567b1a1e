#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "model/result.h"
#include "model/symbol_table.h"
#include "query/annotations.h"
#include "query/engine.h"
#include "query/interrupt.h"
#include "query/query_profile.h"
#include "query/sample_count.h"
#include "query/shared_scans.h"
#include "query/step_grid.h"
#include "query/thread_budget.h"
#include "storage/queryable.h"

namespace pipit {

/// Rows that are kept to save work, and can be computed again.
class ReclaimableRows {
 public:
  virtual ~ReclaimableRows() = default;
  /// Lets go of what nobody has begun to read.
  virtual void reclaim() = 0;
};

/// What all operators of one running query share: the source, symbols, limits, remarks and the first error.
/// Belongs to the query's thread.
class QueryContext {
 public:
  using Clock = std::chrono::steady_clock;

  /// `request`, `source` and `threads` must outlive the context.
  QueryContext(const Queryable& source, const QueryRequest& request, const EngineOptions& options,
               Clock::time_point deadline, ThreadBudget& threads);

  const Queryable& source() const { return source_; }
  const QueryRequest& request() const { return request_; }
  DurationMs lookback() const { return lookback_; }
  DurationMs default_subquery_step() const { return default_subquery_step_; }
  std::uint64_t max_samples() const { return max_samples_; }
  /// Threads that the query may have beside its own.
  ThreadBudget& threads() { return threads_; }
  const Interrupt& interrupt() const { return interrupt_; }

  SymbolTable& symbols() { return *symbols_; }
  std::shared_ptr<SymbolTable> shared_symbols() const { return symbols_; }
  SymbolId name_id() const { return name_id_; }
  SymbolId type_id() const { return type_id_; }
  SymbolId unit_id() const { return unit_id_; }
  /// `__name__`, `__type__`, `__unit__`: what says which metric a series is of, and goes when the name goes.
  bool is_metadata_label(SymbolId name) const { return name == name_id_ || name == type_id_ || name == unit_id_; }

  Annotations& annotations() { return annotations_; }
  /// Null unless the request wants its plan.
  QueryProfile* profile() { return profile_paused_ ? nullptr : profile_.get(); }
  /// While part of a plan is made again, which the profile has already. What was said before.
  bool pause_profile(bool pause) { return std::exchange(profile_paused_, pause); }

  bool failed() const { return failed_; }
  /// Ends the query. The first error stays.
  void fail(Error error);
  const Error& error() const { return error_; }

  /// False when the query is over: failed, canceled or past its deadline. Call it about once a series.
  bool check();

  /// Counts cells (a value of a series at a step, or a sample) that stay in memory, of eight bytes each, and what bytes
  /// stay beside them; fails the query over either limit.
  bool hold(std::uint64_t cells, std::uint64_t bytes = 0);
  void release(std::uint64_t cells, std::uint64_t bytes = 0) {
    held_ -= cells;
    held_bytes_ -= bytes;
  }
  /// Fails the query, as it needs more than the limit.
  void fail_for_samples();
  void fail_for_memory();
  std::uint64_t most_held() const { return most_held_; }
  std::uint64_t most_memory() const { return most_memory_; }
  /// Whether so many cells may be kept for a reader that could compute them again.
  bool may_keep(std::uint64_t cells) const;
  void add_reclaimable(ReclaimableRows& rows) { reclaimable_.push_back(&rows); }
  void remove_reclaimable(ReclaimableRows& rows) { std::erase(reclaimable_, &rows); }
  SharedScans& shared_scans() { return shared_scans_; }

  /// Cells that may still be held before a limit is reached.
  std::uint64_t spare_cells() const;

  /// Counts samples of series that pass by, `longest` of which were in memory at a time; fails the query over the
  /// limit.
  bool pass_by(std::uint64_t samples, std::uint64_t longest) {
    samples_read_ += samples;
    // A sample has a time and a value.
    const bool within_limit = hold(longest, longest * sizeof(TimestampMs));
    release(longest, longest * sizeof(TimestampMs));
    return within_limit;
  }
  std::uint64_t samples_read() const { return samples_read_; }
  SampleCount& sample_count() { return sample_count_; }

 private:
  bool over_limit() const { return held_ > max_samples_ || memory() > max_memory_; }
  /// Bytes of all that is held. Symbols stay to the end.
  std::uint64_t memory() const { return held_ * sizeof(double) + held_bytes_ + symbols_->bytes(); }

  const Queryable& source_;
  const QueryRequest& request_;
  DurationMs lookback_;
  DurationMs default_subquery_step_;
  std::uint64_t max_samples_;
  std::uint64_t max_memory_;
  ThreadBudget& threads_;
  Interrupt interrupt_;
  std::shared_ptr<SymbolTable> symbols_;
  SymbolId name_id_;
  SymbolId type_id_;
  SymbolId unit_id_;
  Annotations annotations_;
  std::unique_ptr<QueryProfile> profile_;
  bool profile_paused_ = false;
  bool failed_ = false;
  Error error_;
  std::vector<ReclaimableRows*> reclaimable_;
  SharedScans shared_scans_;
  std::uint64_t held_ = 0;
  std::uint64_t held_bytes_ = 0;  ///< beside the cells
  std::uint64_t most_held_ = 0;
  std::uint64_t most_memory_ = 0;
  std::uint64_t samples_read_ = 0;
  SampleCount sample_count_;
};

/// Cells, and bytes beside them, counted as held for as long as this lives.
class HeldCells {
 public:
  explicit HeldCells(QueryContext& context) : context_(context) {}
  HeldCells(const HeldCells&) = delete;
  HeldCells& operator=(const HeldCells&) = delete;
  ~HeldCells() { clear(); }

  bool add(std::uint64_t cells, std::uint64_t bytes = 0) {
    cells_ += cells;
    bytes_ += bytes;
    return context_.hold(cells, bytes);
  }
  bool add_bytes(std::uint64_t bytes) { return add(0, bytes); }
  /// REQUIRES: no more than has been added.
  void remove(std::uint64_t cells, std::uint64_t bytes) {
    context_.release(cells, bytes);
    cells_ -= cells;
    bytes_ -= bytes;
  }
  std::uint64_t cells() const { return cells_; }
  void clear() {
    context_.release(cells_, bytes_);
    cells_ = bytes_ = 0;
  }

 private:
  QueryContext& context_;
  std::uint64_t cells_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace pipit
