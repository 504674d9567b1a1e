#include "query/series_scan.h"

#include <algorithm>

#include "query/ordered_scan.h"
#include "query/selector.h"
#include "storage/partial_selection.h"

namespace pipit {
namespace {

/// Over a source that gives one cursor only.
class SerialScanOperator : public Operator {
 public:
  SerialScanOperator(QueryContext& context, SeriesScan scan, std::unique_ptr<SeriesCursor> cursor)
      : context_(context), scan_(std::move(scan)), cursor_(std::move(cursor)), function_(scan_.make_function()) {}

  bool next(Block& out) override {
    out.reset(scan_.steps);
    while (!at_end_ && !out.full() && context_.check()) {
      auto more = cursor_->next();
      if (!more.ok() && context_.check()) context_.fail(more.error());
      at_end_ = !more.ok() || !*more;
      if (!at_end_) add_row(out);
    }
    return !out.empty() && !context_.failed();
  }

 private:
  void add_row(Block& out) {
    const std::size_t samples = cursor_->times().size();
    if (!context_.pass_by(samples, samples)) return;
    const auto row = out.add_row(scan_.labels ? cursor_->labels() : LabelSet(), scan_.drop_name);
    const Status status = function_->compute(cursor_->times(), cursor_->values(), {out.values(row), out.mask(row)});
    if (!status.ok()) return context_.fail(status.error());
    if (!mask_any(out.mask(row), out.words())) {
      out.remove_last_row();
    } else if (scan_.on_row) {
      scan_.on_row(out.labels(row).labels);
    }
  }

  QueryContext& context_;
  SeriesScan scan_;
  std::unique_ptr<SeriesCursor> cursor_;
  std::unique_ptr<RowFunction> function_;
  bool at_end_ = false;
};

class SharedScanOperator : public Operator {
 public:
  SharedScanOperator(QueryContext& context, SeriesScan scan, std::unique_ptr<SharedSelection> selection)
      : context_(context),
        scan_(std::move(scan)),
        selection_(std::move(selection)),
        rows_(*selection_, scan_.make_function, scan_.steps, context.threads(), context.interrupt()) {}

  bool next(Block& out) override {
    while (context_.check() && rows_.next(batch_, context_.spare_cells())) {
      if (!batch_.status.ok()) {
        // The store says that it was canceled in its own words.
        if (context_.check()) context_.fail(batch_.status.error());
      } else if (context_.pass_by(batch_.samples, batch_.longest) && !batch_.rows.empty()) {
        std::swap(out, batch_.rows);
        return label_rows(out);
      }
    }
    context_.check();
    return false;
  }

 private:
  bool label_rows(Block& out) {
    for (std::size_t row = 0; row < out.rows(); ++row) {
      RowLabels& labels = out.labels(row);
      labels.drop_name = scan_.drop_name;
      if (!scan_.labels) continue;
      auto found = selection_->labels(batch_.series[row], labels.labels);
      if (!found.ok()) {
        context_.fail(found.error());
        return false;
      }
      // A series that has been deleted since it was read has no samples any more.
      if (!*found) std::fill_n(out.mask(row), out.words(), 0);
      if (*found && scan_.on_row) scan_.on_row(labels.labels);
    }
    return true;
  }

  QueryContext& context_;
  SeriesScan scan_;
  std::unique_ptr<SharedSelection> selection_;
  OrderedScan rows_;
  ScannedBatch batch_;
};

/// Opens the scan when it is first asked: a side of `and` may never be. Ends it with its last row, not with the query:
/// the threads and iterators that it has are wanted elsewhere.
class ScanOperator : public Operator {
 public:
  ScanOperator(QueryContext& context, SeriesScan scan) : context_(context), scan_(std::move(scan)) {}

  bool next(Block& out) override {
    if (at_end_) return false;
    if (!scanning_ && !open()) return false;
    if (scanning_->next(out)) return true;
    at_end_ = true;
    scanning_.reset();
    return false;
  }

 private:
  bool open() {
    if (!context_.check()) return false;
    SelectRequest request;
    request.matchers = scan_.selector->matchers;
    request.min_time = scan_.min_time;
    request.max_time = scan_.max_time;
    request.canceled = context_.request().canceled;
    request.labels = scan_.labels;
    request.newest_only = scan_.newest_only;
    request.extreme = scan_.extreme;
    request.name_only = scan_.name_only;
    request.values = scan_.values;
    auto shared = context_.source().select_shared(request, context_.symbols());
    if (!shared.ok()) return fail(shared.error());
    if (*shared) {
      scanning_ = std::make_unique<SharedScanOperator>(context_, std::move(scan_), std::move(*shared));
      return true;
    }
    auto cursor = context_.source().select(request, context_.symbols());
    if (!cursor.ok()) return fail(cursor.error());
    if (const auto* partial = dynamic_cast<const PartialSelection*>(cursor->get())) {
      for (const std::string& warning : partial->warnings()) context_.annotations().warn(warning, {});
    }
    scanning_ = std::make_unique<SerialScanOperator>(context_, std::move(scan_), std::move(*cursor));
    return true;
  }

  bool fail(const Error& error) {
    if (context_.check()) context_.fail(error);
    return false;
  }

  QueryContext& context_;
  SeriesScan scan_;
  OperatorPtr scanning_;
  bool at_end_ = false;
};

}  // namespace

SeriesScan scan_of(const VectorSelector& selector, const StepGrid& grid, const RangeWindow& window) {
  SeriesScan scan;
  scan.selector = &selector;
  scan.min_time = window.end(grid.start) - window.range - window.before + 1;
  scan.max_time = window.end(grid.last()) + window.after;
  scan.steps = grid.count;
  return scan;
}

OperatorPtr make_series_scan(QueryContext& context, SeriesScan scan) {
  return context.shared_scans().add(context, std::move(scan));
}

OperatorPtr make_single_scan(QueryContext& context, SeriesScan scan) {
  return std::make_unique<ScanOperator>(context, std::move(scan));
}

}  // namespace pipit
