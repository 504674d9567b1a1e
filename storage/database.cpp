#include "storage/database.h"

#include <fcntl.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/wal_filter.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>
#include <system_error>
#include <thread>

#include "storage/column_families.h"
#include "storage/folder_check.h"
#include "storage/keys.h"
#include "storage/resume_image.h"
#include "storage/table_replacement.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::uint64_t kLargeMemtable = 2 << 20;

/// Reads the write-ahead records, which are log data of batches, while RocksDB recovers its log.
class LogRecovery final : public rocksdb::WalFilter {
 public:
  explicit LogRecovery(const Database::LogVisitor& visit) : visit_(visit) {}
  const char* Name() const override { return "pipit.LogRecovery"; }

  WalProcessingOption LogRecordFound(unsigned long long, const std::string& file, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch*, bool*) override {
    Parts parts;
    batch.Iterate(&parts);
    if (parts.records.empty() || parts.sequence.size() != sizeof(std::uint64_t) || !visit_) {
      return WalProcessingOption::kContinueProcessing;
    }
    status_ = visit_(parts.records, big_endian64(parts.sequence.data()));
    if (status_.ok()) return WalProcessingOption::kContinueProcessing;
    status_ = Error{status_.error().kind, status_.error().message + " (in " + file + ")"};
    return WalProcessingOption::kCorruptedRecord;
  }
  const Status& status() const { return status_; }

 private:
  struct Parts final : rocksdb::WriteBatch::Handler {
    std::vector<std::string_view> records;
    std::string sequence;
    rocksdb::Status PutCF(std::uint32_t, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
      if (view(key) == kLogSequence) sequence = value.ToString();
      return rocksdb::Status::OK();
    }
    rocksdb::Status DeleteCF(std::uint32_t, const rocksdb::Slice&) override { return rocksdb::Status::OK(); }
    rocksdb::Status DeleteRangeCF(std::uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
      return rocksdb::Status::OK();
    }
    rocksdb::Status MergeCF(std::uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override {
      return rocksdb::Status::OK();
    }
    void LogData(const rocksdb::Slice& data) override { records.push_back(view(data)); }
  };

  const Database::LogVisitor& visit_;
  Status status_;
};

/// RocksDB's warnings in the program's log. Its own log file would stop the program on a full disk, as
/// Debian's RocksDB asserts that a file which failed once is not written again.
class WarningLog final : public rocksdb::Logger {
 public:
  WarningLog() : rocksdb::Logger(rocksdb::WARN_LEVEL) {}
  void LogHeader(const char*, va_list) override {}
  void Logv(const char* format, va_list arguments) override { Logv(rocksdb::WARN_LEVEL, format, arguments); }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::WARN_LEVEL || level >= rocksdb::HEADER_LEVEL) return;
    char text[500];
    std::vsnprintf(text, sizeof text, format, arguments);
    if (std::string_view(text).find("File Deletions") != std::string_view::npos) return;  // of every snapshot
    if (std::strstr(text, "without unique ID to verify") != nullptr) return;              // as ingested files are
    log_warn("RocksDB", {{"message", std::string_view(text)}});
  }
};

rocksdb::DBOptions database_options(rocksdb::WalFilter* filter) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.wal_filter = filter;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_manifest_file_size = 1 << 20;
  options.manifest_preallocation_size = 4096;
  options.allow_fallocate = false;
  options.info_log = std::make_shared<WarningLog>();
  options.avoid_flush_during_shutdown = true;
  // The records of the log are read again by the next start, until a checkpoint has made them chunks. Each kill leaves
  // a log file that may end in half a record. Damage anywhere else is an error: what follows it must not vanish
  // silently.
  options.avoid_flush_during_recovery = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  // Checkpoints bound the log. RocksDB must never flush an anchor to shorten it.
  options.max_total_wal_size = std::uint64_t{1} << 50;
  // A failed write is looked at by the store, which checkpoints as soon as writing works again.
  options.max_bgerror_resume_count = 0;
  return options;
}

Error unavailable(std::string message) { return {ErrorKind::unavailable, std::move(message)}; }

Status make_folder(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return unavailable("can't make the data folder " + path.string() + ": " + failed.message());
  return {};
}

class Listener final : public rocksdb::EventListener {
 public:
  /// After a soft error, of a compaction that finds no room, RocksDB goes on writing.
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* why) override {
    if (why->severity() != rocksdb::Status::Severity::kSoftError) refused_ = true;
    stopped_ = true;
  }
  /// The store resumes, as it has to checkpoint at once: resuming flushes the anchors.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* automatic) override {
    *automatic = false;
  }
  struct State {
    bool refused;
    bool stopped;
  };
  State state() const { return {refused_, stopped_}; }
  void set(State state) {
    refused_ = state.refused;
    stopped_ = state.stopped;
  }

 private:
  std::atomic<bool> refused_ = false;
  std::atomic<bool> stopped_ = false;
};

class RocksDatabase final : public Database {
 public:
  explicit RocksDatabase(std::filesystem::path path) : Database(std::move(path)) {}
  ~RocksDatabase() override { (void)RocksDatabase::close(); }

  Status open(std::size_t cache_bytes, const LogVisitor& visit_log) {
    LogRecovery recovery(visit_log);
    rocksdb::DBOptions options = database_options(&recovery);
    options.listeners.push_back(listener_);
    if (Status status = sync_old_logs(); !status.ok()) return status;
    remove_unfinished_replacement(path_);
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options, path_.string(), column_families(cache_bytes), &handles_, &db);
    if (!recovery.status().ok()) return recovery.status();
    if (!status.ok()) return error(status, "open");
    db_.reset(db);
    return {};
  }

  Status close() override {
    if (!db_) return {};
    for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
    handles_.clear();
    const auto status = db_->Close();
    db_.reset();
    return done(status, "close");
  }

  Status get(Family* family, std::string_view key, std::string& value, bool& found) const override {
    const auto status = db_->Get(rocksdb::ReadOptions(), family, slice(key), &value);
    found = status.ok();
    return status.IsNotFound() ? Status() : done(status, "read");
  }

  Status write(rocksdb::WriteBatch& batch, bool durable) override {
    rocksdb::WriteOptions options;
    options.disableWAL = !durable;
    if (!durable) wait_for_flush(chunks());
    Status status = done(db_->Write(options, &batch), "write");
    if (!durable) return status;  // of chunks, whose memtable is small and holds back no log
    for (auto* family : {state(), series(), index(), metadata()}) {
      if (status.ok()) status = flush_if_large(family);
    }
    return status;
  }

  std::unique_ptr<rocksdb::Iterator> iterate(Family* family, bool fill_cache) const override {
    rocksdb::ReadOptions options;
    options.fill_cache = fill_cache;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family));
  }

  /// After RocksDB has resumed, its Flush was seen to return in good order while the memtable still waited for its
  /// turn. Who asked would drop the log, and a disk that is full again lose what it held.
  Status flush(Family* family) override {
    for (;;) {
      if (Status status = done(db_->Flush(rocksdb::FlushOptions(), family), "write"); !status.ok()) return status;
      if (is_flushed(family)) return {};
      if (needs_resume()) return error(rocksdb::Status::IOError("a memtable could not be flushed"), "write");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  Status append_log(Family* anchor, LogRecords records, std::uint64_t sequence) override {
    log_batch_.Clear();
    for (const std::string_view record : records) log_batch_.PutLogData(slice(record));
    char number[sizeof sequence];
    write_big_endian64(number, sequence);
    log_batch_.Put(anchor, slice(kLogSequence), slice({number, sizeof number}));
    rocksdb::WriteOptions options;
    options.disableWAL = records.empty();
    return done(db_->Write(options, &log_batch_), "write");
  }

  Status switch_log(rocksdb::WriteBatch& state_changes) override {
    if (Status status = write(state_changes, true); !status.ok()) return status;
    if (Status status = sync_log(); !status.ok()) return status;
    return begin_flush(state());
  }

  Result<std::uint64_t> last_sequence(Family* anchor) const override {
    std::string value;
    bool found;
    if (Status status = get(anchor, kLogSequence, value, found); !status.ok()) return status.error();
    return found && value.size() == sizeof(std::uint64_t) ? big_endian64(value.data()) : 0;
  }

  Status sync_log() override { return done(db_->SyncWAL(), "write"); }

  Status drop_before(Family* family, std::string_view end) override {
    const rocksdb::Slice last = slice(end);
    auto status = rocksdb::DeleteFilesInRange(db_.get(), family, nullptr, &last, false);
    if (status.ok()) status = db_->DeleteRange(rocksdb::WriteOptions(), family, slice(""), last);
    if (!status.ok()) return error(status, "write");
    return compact(family, "", end);  // of files in level 0, that hold other keys too
  }

  Result<std::unique_ptr<Replacement>> replace(Family* family) override {
    return begin_table_replacement(*this, *db_, family, path_);
  }

  Status compact(Family* family, std::string_view begin, std::string_view end) override {
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    const rocksdb::Slice first = slice(begin);
    const rocksdb::Slice last = slice(end);
    return done(db_->CompactRange(options, family, &first, &last), "write");
  }

  Status snapshot(const std::filesystem::path& path) const override {
    rocksdb::Checkpoint* made = nullptr;
    auto status = rocksdb::Checkpoint::Create(db_.get(), &made);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    constexpr std::uint64_t kNeverFlush = std::numeric_limits<std::uint64_t>::max();  // it would flush the anchors too
    if (status.ok()) status = checkpoint->CreateCheckpoint(path.string(), kNeverFlush);
    return done(status, "make a snapshot of");
  }

  Status keep_image() override {
    auto status = db_->DisableFileDeletions();
    if (!status.ok()) return error(status, "write");
    Status kept = keep_resume_image(path_);
    status = db_->EnableFileDeletions(false);
    return kept.ok() ? done(status, "write") : kept;
  }
  Status drop_image() override { return drop_resume_image(path_); }

  Status resume() override {
    const auto before = listener_->state();
    listener_->set({false, false});  // before: the disk may fill again at once
    const auto status = db_->Resume();
    if (!status.ok()) listener_->set({before.refused || listener_->state().refused, true});
    return done(status, "write");
  }

  bool needs_resume() const override { return listener_->state().stopped; }
  bool refuses_writes() const override { return listener_->state().refused; }

  std::uint64_t file_bytes(Family* family) const override { return property(family, "rocksdb.total-sst-files-size"); }
  std::uint64_t cache_bytes() const override { return property(chunks(), "rocksdb.block-cache-usage"); }

  std::uint64_t range_bytes(Family* family, std::string_view begin, std::string_view end) const override {
    const rocksdb::Range range(slice(begin), slice(end));
    std::uint64_t bytes = 0;
    rocksdb::SizeApproximationOptions options;
    (void)db_->GetApproximateSizes(options, family, &range, 1, &bytes);
    return bytes;
  }

  std::uint64_t total_bytes() const override {
    std::uint64_t bytes = 0;
    for (auto* family : handles_) bytes += property(family, "rocksdb.live-sst-files-size");
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(path_, failed)) {
      if (entry.path().extension() == ".sst") continue;
      const std::uintmax_t size = entry.file_size(failed);
      if (!failed) bytes += size;
    }
    return bytes;
  }

 private:
  Status done(const rocksdb::Status& status, std::string_view doing) const {
    if (status.ok()) return {};
    return error(status, doing);
  }
  std::uint64_t property(Family* family, const char* name) const {
    std::uint64_t value = 0;
    db_->GetIntProperty(family, name, &value);
    return value;
  }

  bool is_flushed(Family* family) const { return property(family, "rocksdb.num-immutable-mem-table") == 0; }
  /// When a second memtable is full before the first is on disk, RocksDB stops all writes, commits too. So a checkpoint
  /// waits by itself.
  void wait_for_flush(Family* family) const {
    while (!is_flushed(family) && !needs_resume()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  /// RocksDB syncs only the file that it writes now. A power failure must not take the end of an older one alone.
  Status sync_old_logs() const {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(path_, failed)) {
      if (entry.path().extension() != ".log") continue;
      const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      const bool synced = file >= 0 && ::fdatasync(file) == 0;
      if (file >= 0) ::close(file);
      if (!synced) return unavailable("can't read " + entry.path().string() + ": " + std::strerror(errno));
    }
    return {};
  }

  Status flush_if_large(Family* family) {
    return property(family, "rocksdb.cur-size-active-mem-table") > kLargeMemtable ? begin_flush(family) : Status();
  }

  Status begin_flush(Family* family) {
    rocksdb::FlushOptions options;
    options.wait = false;
    return done(db_->Flush(options, family), "write");
  }

  std::shared_ptr<Listener> listener_ = std::make_shared<Listener>();
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteBatch log_batch_;  // of append_log, whose calls never overlap
};

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const Options& options) {
  if (Status made = make_folder(options.path); !made.ok()) return made.error();
  if (Status restored = restore_resume_image(options.path); !restored.ok()) return restored.error();
  if (Status checked = check_data_folder(options.path); !checked.ok()) return checked.error();
  auto database = std::make_unique<RocksDatabase>(options.path);
  if (Status opened = database->open(options.cache_bytes, options.visit_log); !opened.ok()) return opened.error();
  return std::unique_ptr<Database>(std::move(database));
}

Status Database::drop_log(const Options& options) {
  RocksDatabase database(options.path);
  if (Status opened = database.open(options.cache_bytes, {}); !opened.ok()) return opened;
  for (auto* family : database.handles_) {
    if (Status status = database.flush(family); !status.ok()) return status;
  }
  return database.close();
}

Error Database::error(const rocksdb::Status& status, std::string_view doing) const {
  std::string text = status.ToString();
  const std::string folder = path_.string();
  // Tables that are gone it looks for once more, under the name that they had long ago.
  if (const std::size_t at = text.find(".ldb: No such file"); at != std::string::npos) text.replace(at, 4, ".sst");
  if (status.IsNoSpace() || text.find("No space left") != std::string::npos) {
    return unavailable("no space left on the disk of the data folder " + folder +
                       ": nothing can be stored until there is some (" + text + ")");
  }
  if (text.find("/LOCK:") != std::string::npos || text.find("lock hold by current process") != std::string::npos) {
    const bool permission = text.find("Permission denied") != std::string::npos;
    return unavailable(permission ? "the data folder " + folder + " can't be written: " + text
                                  : "the data folder " + folder +
                                        " is in use by another process: stop that one or choose another folder (" +
                                        text + ")");
  }
  if (status.IsCorruption() && doing == "open" && text.find(".sst") == std::string::npos) {
    if (const std::string file = find_damaged_file(path_); !file.empty()) text = file;
  }
  if (status.IsCorruption()) {
    return internal_error("the data folder " + folder + " is damaged: " + text +
                          ". Restore the named file from a copy, or move the folder away to start anew");
  }
  if (status.IsShutdownInProgress()) return unavailable("the store is closing");
  if (doing == "open" && text.find("No such file") != std::string::npos) {
    return internal_error("the data folder " + folder + " is damaged, a file is gone: " + text +
                          ". Restore it from a copy, or move the folder away to start anew");
  }
  return unavailable("can't " + std::string(doing) + " the data folder " + folder + ": " + text);
}

}  // namespace pipit
