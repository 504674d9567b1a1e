#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
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
  /// What one commit has in the write-ahead log.
  using LogRecords = std::span<const std::string_view>;
  /// Gets the records of a commit and its number. Called in order, before `open` returns.
  using LogVisitor = std::function<Status(LogRecords records, std::uint64_t sequence)>;
  struct Options {
    std::filesystem::path path;
    std::size_t cache_bytes = 8u << 20;
    LogVisitor visit_log;  ///< an error ends the opening with that error
  };
  using Family = rocksdb::ColumnFamilyHandle;

  /// Opens or makes a RocksDB, and visits the records that its write-ahead log still has. They stay there.
  static Result<std::unique_ptr<Database>> open(const Options& options);
  /// Opens a RocksDB that is there, forgets its write-ahead records, and closes it.
  static Status drop_log(const Options& options);
  virtual ~Database() = default;
  virtual Status close() = 0;

  Family* state() const { return handles_[0]; }
  Family* chunks() const { return handles_[1]; }
  Family* series() const { return handles_[2]; }
  Family* index() const { return handles_[3]; }
  Family* metadata() const { return handles_[4]; }
  /// What a checkpoint flushes, chunks first.
  std::array<Family*, 6> checkpointed() const { return {chunks(), merged(), series(), index(), metadata(), state()}; }
  /// A reader looks at them in this order: what leaves the first is in the second before.
  std::array<Family*, 2> chunk_families() const { return {chunks(), merged()}; }
  /// The log's two anchors, see `append_log`.
  Family* anchor(std::uint64_t epoch) const { return handles_[5 + epoch % 2]; }
  Family* merged() const { return handles_[7]; }

  /// Reads a key; `found` false when there is none.
  virtual Status get(Family* family, std::string_view key, std::string& value, bool& found) const = 0;
  /// `durable` false leaves the write-ahead log out.
  virtual Status write(rocksdb::WriteBatch& batch, bool durable = true) = 0;
  virtual std::unique_ptr<rocksdb::Iterator> iterate(Family* family, bool fill_cache = true) const = 0;
  virtual Status flush(Family* family) = 0;
  /// The write-ahead log: records that RocksDB keeps in its own log and in no memtable. An anchor family holds the
  /// number of the newest commit; as long as its memtable is not flushed, RocksDB keeps all log files since the first
  /// record that was appended with this anchor. So nobody but a checkpoint may ever flush an anchor.
  virtual Status append_log(Family* anchor, LogRecords records, std::uint64_t sequence) = 0;
  /// Writes the batch, of keys of the default family, and begins a new log file.
  virtual Status switch_log(rocksdb::WriteBatch& state_changes) = 0;
  /// The number that the anchor holds, 0 when none.
  virtual Result<std::uint64_t> last_sequence(Family* anchor) const = 0;
  /// The write-ahead log reaches the disk.
  virtual Status sync_log() = 0;
  /// Drops all keys below `end`, whole files where that is possible. Their space is free at once.
  virtual Status drop_before(Family* family, std::string_view end) = 0;
  /// Keys that are about to take the place of a range, all at one moment. Dropped without a trace unless committed.
  class Replacement {
   public:
    virtual ~Replacement() = default;
    /// REQUIRES: keys ascend.
    virtual Status put(std::string_view key, std::string_view value) = 0;
    /// Replaces what is in [begin, end), durably; says whether there was anything. REQUIRES: all keys lie in it.
    virtual Result<bool> commit(std::string_view begin, std::string_view end) = 0;
  };
  /// One at a time. Nobody else may write keys of the range before it is committed.
  virtual Result<std::unique_ptr<Replacement>> replace(Family* family) = 0;
  /// Frees the space of what was deleted between the keys.
  virtual Status compact(Family* family, std::string_view begin, std::string_view end) = 0;
  /// A copy in a folder that is not there yet, as the database is now, for `open`. Files are shared where the file
  /// system can.
  virtual Status snapshot(const std::filesystem::path& path) const = 0;
  /// Keeps an image of the database as it is on the disk, its log included; opening goes back to it until it is
  /// dropped. See resume_image.h. REQUIRES: nobody writes meanwhile.
  virtual Status keep_image() = 0;
  virtual Status drop_image() = 0;
  /// Goes on after an error, if its cause is gone.
  virtual Status resume() = 0;
  /// Whether RocksDB has stopped some of its work for an error: at least compactions, at worst all writes.
  virtual bool needs_resume() const = 0;
  /// Whether RocksDB refuses writes for an error.
  virtual bool refuses_writes() const = 0;
  /// Of all files that hold the family's keys.
  virtual std::uint64_t file_bytes(Family* family) const = 0;
  /// Of its keys in a range, about.
  virtual std::uint64_t range_bytes(Family* family, std::string_view begin, std::string_view end) const = 0;
  /// Of all files, the log among them. Those that wait to be removed don't count.
  virtual std::uint64_t total_bytes() const = 0;
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

/// How a store gets its database.
struct DatabaseOpener {
  std::function<Result<std::unique_ptr<Database>>(const Database::Options&)> open = Database::open;
};

}  // namespace pipit
