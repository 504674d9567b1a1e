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

bool QueryContext::hold(std::uint64_t cells) {
  held_ += cells;
  most_held_ = std::max(most_held_, held_);
  if (held_ > max_samples_) fail_for_samples();
  return !failed_;
}

void QueryContext::fail_for_samples() {
  fail(execution_error("query processing would load too many samples into memory in query execution: more than " +
                       std::to_string(max_samples_) + " (--query.max-samples) for " + shown(request_.expr)));
}

}  // namespace pipit
