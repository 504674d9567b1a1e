#include "query/query_context.h"

#include "model/labels.h"

namespace pipit {

QueryContext::QueryContext(const Queryable& source, const QueryRequest& request, const EngineOptions& options,
                           Clock::time_point deadline, ThreadBudget& threads)
    : source_(source),
      request_(request),
      lookback_(request.lookback_delta > 0 ? request.lookback_delta : options.lookback_delta),
      default_subquery_step_(options.default_subquery_step),
      max_samples_(options.max_samples),
      threads_(threads),
      interrupt_(deadline, request.canceled),
      symbols_(std::make_shared<SymbolTable>()),
      name_id_(symbols_->intern(kMetricName)),
      type_id_(symbols_->intern("__type__")),
      unit_id_(symbols_->intern("__unit__")),
      annotations_(request.expr) {}

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
    fail({ErrorKind::timeout, "query timed out in expression evaluation"});
  }
  return !failed_;
}

bool QueryContext::hold(std::uint64_t cells) {
  held_ += cells;
  if (held_ > max_samples_) {
    fail(execution_error("query processing would load too many samples into memory in query execution"));
  }
  return !failed_;
}

}  // namespace pipit
