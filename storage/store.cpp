#include "storage/store.h"

#include <algorithm>

#include "storage/series_cursor.h"
#include "storage/store_core.h"

namespace pipit {

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, MetricsRegistry& metrics) {
  auto database = Database::open({options.path, options.cache_bytes});
  if (!database.ok()) return database.error();
  return open_store(std::move(*database), options, metrics);
}

Result<std::unique_ptr<Store>> open_store(std::unique_ptr<Database> database, const StoreOptions& options,
                                          MetricsRegistry& metrics) {
  auto impl = std::make_unique<Store::Impl>(options, metrics);
  if (Status status = impl->open(std::move(database)); !status.ok()) return status.error();
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Status Store::close() { return impl_->close(); }
Status Store::checkpoint() { return impl_->checkpoint(); }
Status Store::apply_retention(TimestampMs now) { return impl_->apply_retention(now); }
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

Result<std::unique_ptr<SeriesCursor>> Store::select(const SelectRequest& request, SymbolTable& symbols) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  auto selections = impl_->index().select(request.matchers, request.canceled);
  if (!selections.ok()) return selections.error();
  return std::unique_ptr<SeriesCursor>(new StoreCursor(*impl_, std::move(*selections), request, symbols));
}

Result<std::vector<MetricMetadata>> Store::metadata(std::string_view metric, std::size_t limit) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  return impl_->metadata(metric, limit);
}

}  // namespace pipit
