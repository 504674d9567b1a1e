#pragma once

#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "model/result.h"

namespace pipit {

inline rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

/// RocksDB as the store uses it: its column families, its options, its errors in words. The families are
/// described in docs/storage.md. For storage's own files only.
class Database {
 public:
  struct Options {
    std::filesystem::path path;
    std::size_t cache_bytes = 8u << 20;
  };

  /// Opens or makes it. Write-ahead records that it finds are then keys of the default family.
  static Result<std::unique_ptr<Database>> open(const Options& options);
  ~Database();
  Status close();

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* state() const { return handles_[0]; }
  rocksdb::ColumnFamilyHandle* chunks() const { return handles_[1]; }
  rocksdb::ColumnFamilyHandle* series() const { return handles_[2]; }
  rocksdb::ColumnFamilyHandle* index() const { return handles_[3]; }
  rocksdb::ColumnFamilyHandle* metadata() const { return handles_[4]; }

  /// Reads a key; `found` false when there is none.
  Status get(rocksdb::ColumnFamilyHandle* family, std::string_view key, std::string& value, bool& found) const;
  /// `durable` false leaves the write-ahead log out.
  Status write(rocksdb::WriteBatch& batch, bool durable = true);
  std::unique_ptr<rocksdb::Iterator> iterate(rocksdb::ColumnFamilyHandle* family, bool fill_cache = true) const;
  Status flush(rocksdb::ColumnFamilyHandle* family);
  /// Switches the default family's memtable, and with it the write-ahead log, and returns before it is on disk.
  Status begin_state_flush();
  /// Waits until everything that `begin_state_flush` switched is on disk.
  Status wait_for_state_flush();
  /// The write-ahead log reaches the disk.
  Status sync_log();
  /// Leaves the mode in which RocksDB refuses writes after an error, if its cause is gone.
  Status resume();
  /// Whether RocksDB refuses writes for an error.
  bool refuses_writes() const;

  /// An RocksDB status as an error that says what to do: `unavailable` for a full disk or a folder that can't be used,
  /// `internal` with the file's name for damage. REQUIRES: !status.ok().
  Error error(const rocksdb::Status& status, std::string_view doing) const;

 private:
  class Listener;
  Database() = default;

  std::filesystem::path path_;
  std::shared_ptr<Listener> listener_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

}  // namespace pipit
