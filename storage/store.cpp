#include "storage/store.h"

#include <algorithm>

#include "storage/open_store.h"
#include "storage/series_cursor.h"
#include "storage/shared_selection.h"
#include "storage/store_core.h"

namespace pipit {

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, MetricsRegistry& metrics) {
  return open_store(DatabaseOpener(), options, metrics);
}

Result<std::unique_ptr<Store>> open_store(const DatabaseOpener& opener, const StoreOptions& options,
                                          MetricsRegistry& metrics) {
  auto impl = std::make_unique<Store::Impl>(options, metrics);
  if (Status status = impl->open(opener); !status.ok()) return status.error();
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Status Store::close() { return impl_->close(); }
void Store::set_out_of_order_window(DurationMs window) { impl_->set_out_of_order_window(window); }
void Store::set_commit_listener(CommitListener* listener) { impl_->set_commit_listener(listener); }

Result<std::optional<Labels>> Store::series_labels(std::uint64_t series) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  return impl_->index().labels(series);
}
Status Store::checkpoint() { return impl_->checkpoint(); }
Status Store::apply_retention(TimestampMs now) { return impl_->apply_retention(now); }
Status Store::merge_closed_days(TimestampMs now) { return impl_->merge_closed_days(now); }
Status Store::delete_series(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time) {
  return impl_->delete_series(matcher_sets, min_time, max_time);
}
Status Store::clean_tombstones() { return impl_->clean_tombstones(); }
Result<std::string> Store::snapshot(bool skip_head) { return impl_->snapshot(skip_head); }
StoreStats Store::stats() const { return impl_->stats(); }

Result<SeriesRef> Store::series(const Labels& labels) { return impl_->series_ref(labels); }
void Store::find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const {
  if (impl_->can_read().ok()) {
    impl_->find_encoded(encodings, refs);
  } else {
    std::fill(refs.begin(), refs.end(), kNoSeries);
  }
}
Result<AppendReport> Store::append(const AppendBatch& batch) { return impl_->append(batch); }
Status Store::set_metadata(std::string_view metric, const Metadata& metadata) {
  return impl_->set_metadata(metric, metadata);
}

Status Store::write_records(std::span<const Change> changes) { return impl_->store_records(changes); }
Result<std::vector<std::pair<std::string, std::string>>> Store::read_records(std::string_view prefix) const {
  return impl_->stored_records(prefix);
}

Result<std::unique_ptr<SeriesCursor>> Store::select(const SelectRequest& request, SymbolTable& symbols) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  auto selections = impl_->index().select(request.matchers, request.canceled);
  if (!selections.ok()) return selections.error();
  return std::unique_ptr<SeriesCursor>(new StoreCursor(*impl_, std::move(*selections), request, symbols));
}

Result<std::unique_ptr<SharedSelection>> Store::select_shared(const SelectRequest& request,
                                                              SymbolTable& symbols) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  auto selections = impl_->index().select(request.matchers, request.canceled);
  if (!selections.ok()) return selections.error();
  return std::unique_ptr<SharedSelection>(new StoreSelection(*impl_, std::move(*selections), request, symbols));
}

Result<std::vector<MetricMetadata>> Store::metadata(std::string_view metric, std::size_t limit) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  return impl_->metadata(metric, limit);
}

}  // namespace pipit
