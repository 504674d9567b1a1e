#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.h"

namespace pipit {

inline rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

/// What the store needs of a key-value database, in RocksDB's terms: column families with sorted keys, atomic batches,
/// iterators that see one moment, a write-ahead log. The families are described in docs/storage.md. For storage's own
/// files only; `open` gives RocksDB, tests have a stand-in in RAM that ThreadSanitizer can look into.
///
/// Thread-safe, save `close`.
class Database {
 public:
  struct Options {
    std::filesystem::path path;
    std::size_t cache_bytes = 8u << 20;
  };
  using Family = rocksdb::ColumnFamilyHandle;

  /// Opens or makes a RocksDB. Write-ahead records that it finds are then keys of the default family.
  static Result<std::unique_ptr<Database>> open(const Options& options);
  virtual ~Database() = default;
  virtual Status close() = 0;

  Family* state() const { return handles_[0]; }
  Family* chunks() const { return handles_[1]; }
  Family* series() const { return handles_[2]; }
  Family* index() const { return handles_[3]; }
  Family* metadata() const { return handles_[4]; }

  /// Reads a key; `found` false when there is none.
  virtual Status get(Family* family, std::string_view key, std::string& value, bool& found) const = 0;
  /// `durable` false leaves the write-ahead log out.
  virtual Status write(rocksdb::WriteBatch& batch, bool durable = true) = 0;
  virtual std::unique_ptr<rocksdb::Iterator> iterate(Family* family, bool fill_cache = true) const = 0;
  virtual Status flush(Family* family) = 0;
  /// Switches the default family's memtable, and with it the write-ahead log, and returns before it is on disk.
  virtual Status begin_state_flush() = 0;
  /// Waits until everything that `begin_state_flush` switched is on disk.
  virtual Status wait_for_state_flush() = 0;
  /// The write-ahead log reaches the disk.
  virtual Status sync_log() = 0;
  /// Drops all keys below `end`, whole files where that is possible.
  virtual Status drop_before(Family* family, std::string_view end) = 0;
  /// Leaves the mode in which RocksDB refuses writes after an error, if its cause is gone.
  virtual Status resume() = 0;
  /// Whether RocksDB refuses writes for an error.
  virtual bool refuses_writes() const = 0;
  /// Of all files that hold the family's keys.
  virtual std::uint64_t file_bytes(Family* family) const = 0;
  /// RAM of cached blocks, of all families.
  virtual std::uint64_t cache_bytes() const = 0;

  /// An RocksDB status as an error that says what to do: `unavailable` for a full disk or a folder that can't be used,
  /// `internal` with the file's name for damage. REQUIRES: !status.ok().
  Error error(const rocksdb::Status& status, std::string_view doing) const;

 protected:
  explicit Database(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
  std::vector<Family*> handles_;  ///< in the order of the accessors
};

}  // namespace pipit
