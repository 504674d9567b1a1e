// Small records beside the samples: record_store.h.

#include <algorithm>

#include "storage/store_core.h"

namespace pipit {
namespace {

constexpr std::size_t kMaxRecordBytes = 1 << 20;
constexpr std::size_t kMaxRecordKeyBytes = 1 << 10;

std::string record_key(std::string_view name) { return std::string(1, kRecordPrefix) += name; }

}  // namespace

/// Appends go on while the disk is waited for. Without the log's bytes being counted nothing would ever make a
/// checkpoint of a store that gets records alone.
Status StoreCore::store_records(std::span<const RecordStore::Change> changes) {
  if (Status status = can_write(); !status.ok()) return status;
  rocksdb::WriteBatch batch;
  for (const RecordStore::Change& change : changes) {
    if (change.key.empty() || change.key.size() > kMaxRecordKeyBytes ||
        (change.value && change.value->size() > kMaxRecordBytes)) {
      return bad_data("a record of " + std::to_string(change.value ? change.value->size() : 0) +
                      " bytes or its key is too large");
    }
    const std::string key = record_key(change.key);
    if (change.value) {
      batch.Put(database_->state(), slice(key), slice(*change.value));
    } else {
      batch.Delete(database_->state(), slice(key));
    }
  }
  if (batch.Count() == 0) return {};
  {
    std::lock_guard commit_lock(commit_mutex_);
    if (Status status = can_write(); !status.ok()) return status;
    if (Status status = database_->write(batch); !status.ok()) return status;
    log_bytes_ += batch.GetDataSize();
  }
  return database_->sync_log();
}

Result<std::vector<std::pair<std::string, std::string>>> StoreCore::stored_records(std::string_view prefix) const {
  if (Status status = can_read(); !status.ok()) return status.error();
  std::vector<std::pair<std::string, std::string>> found;
  const std::string begin = record_key(prefix);
  auto it = database_->iterate(database_->state());
  for (it->Seek(slice(begin)); it->Valid() && view(it->key()).starts_with(begin); it->Next()) {
    found.emplace_back(view(it->key()).substr(1), view(it->value()));
  }
  if (!it->status().ok()) return database_->error(it->status(), "read");
  return found;
}

}  // namespace pipit
