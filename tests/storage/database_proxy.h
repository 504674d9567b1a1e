#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "storage/database.h"

namespace pipit {

/// Hands all calls on to another database. A test derives from it to look at some of them, or to let them fail.
class DatabaseProxy : public Database {
 public:
  DatabaseProxy(std::unique_ptr<Database> inner, const std::filesystem::path& path)
      : Database(path), inner_(std::move(inner)) {
    handles_ = {inner_->state(),    inner_->chunks(),  inner_->series(),  inner_->index(),
                inner_->metadata(), inner_->anchor(0), inner_->anchor(1), inner_->merged()};
  }

  Status close() override { return inner_->close(); }
  Status get(Family* family, std::string_view key, std::string& value, bool& found) const override {
    return inner_->get(family, key, value, found);
  }
  Status write(rocksdb::WriteBatch& batch, bool durable) override { return inner_->write(batch, durable); }
  std::unique_ptr<rocksdb::Iterator> iterate(Family* family, bool fill_cache) const override {
    return inner_->iterate(family, fill_cache);
  }
  Status flush(Family* family) override { return inner_->flush(family); }
  Status append_log(Family* anchor, LogRecords records, std::uint64_t sequence) override {
    return inner_->append_log(anchor, records, sequence);
  }
  Status switch_log(rocksdb::WriteBatch& state_changes) override { return inner_->switch_log(state_changes); }
  Result<std::uint64_t> last_sequence(Family* anchor) const override { return inner_->last_sequence(anchor); }
  Status sync_log() override { return inner_->sync_log(); }
  Status drop_before(Family* family, std::string_view end) override { return inner_->drop_before(family, end); }
  Result<std::unique_ptr<Replacement>> replace(Family* family) override { return inner_->replace(family); }
  Status compact(Family* family, std::string_view begin, std::string_view end) override {
    return inner_->compact(family, begin, end);
  }
  Status snapshot(const std::filesystem::path& path) const override { return inner_->snapshot(path); }
  Status keep_image() override { return inner_->keep_image(); }
  Status drop_image() override { return inner_->drop_image(); }
  Status resume() override { return inner_->resume(); }
  bool needs_resume() const override { return inner_->needs_resume(); }
  bool refuses_writes() const override { return inner_->refuses_writes(); }
  std::uint64_t file_bytes(Family* family) const override { return inner_->file_bytes(family); }
  std::uint64_t range_bytes(Family* family, std::string_view begin, std::string_view end) const override {
    return inner_->range_bytes(family, begin, end);
  }
  std::uint64_t total_bytes() const override { return inner_->total_bytes(); }
  std::uint64_t cache_bytes() const override { return inner_->cache_bytes(); }

 protected:
  std::unique_ptr<Database> inner_;
};

/// Opens a RocksDB behind a proxy, which gets the options' path and `arguments`.
template <class Proxy, class... Arguments>
DatabaseOpener open_behind(Arguments&... arguments) {
  return {[&arguments...](const Database::Options& options) -> Result<std::unique_ptr<Database>> {
    auto inner = Database::open(options);
    if (!inner.ok()) return inner.error();
    return std::unique_ptr<Database>(std::make_unique<Proxy>(std::move(*inner), options.path, arguments...));
  }};
}

}  // namespace pipit
