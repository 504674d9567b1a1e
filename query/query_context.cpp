#include "query/query_context.h"

#include <algorithm>

#include "model/labels.h"

namespace pipit {
namespace {

/// The expression in a message, shortened.
std::string shown(std::string_view expr) {
  constexpr std::size_t kMaxBytes = 200;
  if (expr.size() <= kMaxBytes) return std::string(expr);
  std::size_t end = kMaxBytes;
  while (end > 0 && (static_cast<unsigned char>(expr[end]) & 0xc0) == 0x80) --end;
  return std::string(expr.substr(0, end)) + "...";
}

}  // namespace

QueryContext::QueryContext(const Queryable& source, const QueryRequest& request, const EngineOptions& options,
                           Clock::time_point deadline, ThreadBudget& threads)
    : source_(source),
      request_(request),
      lookback_(request.lookback_delta > 0 ? request.lookback_delta : options.lookback_delta),
      default_subquery_step_(options.default_subquery_step),
      max_samples_(options.max_samples),
      max_memory_(options.max_memory),
      threads_(threads),
      interrupt_(deadline, request.canceled),
      symbols_(std::make_shared<SymbolTable>()),
      name_id_(symbols_->intern(kMetricName)),
      type_id_(symbols_->intern("__type__")),
      unit_id_(symbols_->intern("__unit__")),
      annotations_(request.expr),
      profile_(request.explain ? std::make_unique<QueryProfile>() : nullptr) {}

void QueryContext::fail(Error error) {
  if (failed_) return;
  failed_ = true;
  error_ = std::move(error);
}

bool QueryContext::check() {
  if (failed_) return false;
  if (interrupt_.is_canceled()) {
    fail({ErrorKind::canceled, "query was canceled in expression evaluation"});
  } else if (interrupt_.is_late()) {
    fail({ErrorKind::timeout,
          "query timed out in expression evaluation: --query.timeout or the request's timeout is "
          "over for " +
              shown(request_.expr)});
  }
  return !failed_;
}

bool QueryContext::hold(std::uint64_t cells, std::uint64_t bytes) {
  held_ += cells;
  held_bytes_ += bytes;
  // By its place in the list, as rows that are let go may be the last that something had.
  for (std::size_t i = 0; i < reclaimable_.size() && over_limit(); ++i) reclaimable_[i]->reclaim();
  most_held_ = std::max(most_held_, held_);
  most_memory_ = std::max(most_memory_, memory());
  if (held_ > max_samples_) fail_for_samples();
  if (memory() > max_memory_) fail_for_memory();
  return !failed_;
}

std::uint64_t QueryContext::spare_cells() const {
  if (held_ >= max_samples_ || memory() >= max_memory_) return 0;
  return std::min(max_samples_ - held_, (max_memory_ - memory()) / sizeof(double));
}

bool QueryContext::may_keep(std::uint64_t cells) const {
  // Of a range of a few hundred steps, rows of ten thousand series.
  constexpr std::uint64_t kMostKept = 4 << 20;
  return cells <= kMostKept && cells <= max_samples_ / 4;
}

void QueryContext::fail_for_memory() {
  fail(execution_error("query processing would use too much memory in query execution: more than " +
                       std::to_string(max_memory_) + " bytes (--query.max-memory) for " + shown(request_.expr)));
}

void QueryContext::fail_for_samples() {
  fail(execution_error("query processing would load too many samples into memory in query execution: more than " +
                       std::to_string(max_samples_) + " (--query.max-samples) for " + shown(request_.expr)));
}

}  // namespace pipit
