#include "storage/store_core.h"

#include <algorithm>
#include <bit>
#include <random>

#include "model/duration.h"
#include "storage/chunk.h"
#include "storage/merge.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

using namespace std::chrono_literals;

/// How long samples may stay in RAM alone; the log has them, but a restart reads it.
constexpr auto kCheckpointInterval = 2h;
/// How much a restart may have to replay.
constexpr std::uint64_t kMaxLogBytes = 8 << 20;
constexpr std::uint64_t kMaxLogBytesPerSeries = 4;
/// A head of many series gets room for chunks that are worth writing.
constexpr std::uint64_t kMinBytesPerSeries = 48;
/// How often the background thread looks for work.
constexpr std::chrono::milliseconds kTick = 1s;
constexpr auto kRetentionInterval = 5min;
constexpr auto kRetryInterval = 5s;

/// Of index, log and manifest, when a full disk has space again.
constexpr std::uint64_t kRoomBesidesChunks = 256 << 10;

constexpr std::string_view kFormatVersion = "3";

HashSeed random_seed() {
  std::random_device random;
  const auto word = [&] { return std::uint64_t{random()} << 32 | random(); };
  return {word(), word()};
}

}  // namespace

StoreCore::StoreCore(const StoreOptions& options, MetricsRegistry& metrics)
    : options_(options),
      metrics_(metrics),
      out_of_order_window_(options.out_of_order_window),
      appended_(metrics.counter("pipit_storage_samples_appended_total", "Samples that were stored.")),
      out_of_order_(metrics.counter("pipit_storage_out_of_order_samples_total",
                                    "Samples refused for being older than their series' newest.")),
      late_stored_(metrics.counter("pipit_storage_late_samples_appended_total",
                                   "Samples that were stored although their series had newer ones.")),
      duplicates_(metrics.counter("pipit_storage_duplicate_samples_total",
                                  "Samples refused for having another value than the stored one of that time.")),
      too_old_(metrics.counter("pipit_storage_too_old_samples_total",
                               "Samples refused for being older than the window for late samples.")),
      out_of_bounds_(metrics.counter("pipit_storage_out_of_bounds_samples_total",
                                     "Samples refused for being beyond retention, where there is no such window.")),
      created_(metrics.counter("pipit_storage_series_created_total", "Series that were new to the store.")),
      removed_(metrics.counter("pipit_storage_series_removed_total", "Series that had no samples any more.")),
      size_retentions_(metrics.counter("pipit_storage_size_retentions_total",
                                       "How often days were dropped because the files had become too large.")),
      checkpoints_(metrics.counter("pipit_storage_checkpoints_total", "Checkpoints that succeeded.")),
      checkpoint_failures_(metrics.counter("pipit_storage_checkpoint_failures_total", "Checkpoints that failed.")),
      checkpoint_seconds_(metrics.gauge("pipit_storage_checkpoint_duration_seconds", "How long the last one took.")),
      merges_(metrics.counter("pipit_storage_merges_total", "Days whose chunks were merged into long ones.")),
      merge_failures_(metrics.counter("pipit_storage_merge_failures_total", "Steps of merging days that failed.")),
      merged_samples_(metrics.counter("pipit_storage_merged_samples_total", "Samples in chunks that were merged.")),
      merge_seconds_(metrics.counter("pipit_storage_merge_seconds_total", "Time spent on merging days.")) {}

StoreCore::~StoreCore() { (void)close(); }

Status StoreCore::open(const DatabaseOpener& opener) {
  const auto start = Clock::now();
  auto database = opener.open({options_.path, options_.cache_bytes, [this](auto records, std::uint64_t sequence) {
                                 return replay_commit(records, sequence);
                               }});
  if (!database.ok()) return database.error();
  database_ = std::move(*database);
  if (Status status = end_replay(); !status.ok()) return status;
  if (Status status = load_state(); !status.ok()) return status;
  if (Status status = load_partitions(); !status.ok()) return status;
  if (Status status = index_->load(); !status.ok()) return status;
  if (Status status = load_tombstones(); !status.ok()) return status;
  remove_unfinished_snapshots();
  replay_time_ = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
  if (replayed_records_ != 0) {
    log_info("replayed write-ahead records",
             {{"records", replayed_records_}, {"series", head_.series()}, {"milliseconds", replay_time_}});
  }
  epoch_starts_.emplace_back(epoch_, Clock::now());
  if (Status status = occupy_anchor(); !status.ok()) return status;
  open_ = true;
  register_metrics();
  background_ = std::thread([this] { run_background([this](auto now) { tick(now); }); });
  syncer_ = std::thread([this] { run_background([this](auto now) { sync_if_due(now); }); });
  return {};
}

Status StoreCore::load_state() {
  std::string value;
  bool found;
  auto* const state = database_->state();
  if (Status status = database_->get(state, kStateFormat, value, found); !status.ok()) return status;
  if (found && value != kFormatVersion) {
    return internal_error("the data folder " + options_.path.string() + " has format " + value +
                          ", this version reads format " + std::string(kFormatVersion));
  }
  const bool is_new = !found;
  if (is_new && sequence_ != 0) {
    return internal_error("the data folder " + options_.path.string() +
                          " is damaged: its MANIFEST file does not know of tables on which the log builds. Restore the "
                          "folder from a copy, or move it away to start anew");
  }
  HashSeed seed;
  if (Status status = database_->get(state, kStateHashSeed, value, found); !status.ok()) return status;
  if (found && value.size() == 16) {
    seed = {big_endian64(value.data()), big_endian64(value.data() + 8)};
  } else if (!is_new) {
    return internal_error("the data folder " + options_.path.string() + " is damaged: the hash seed is gone");
  } else {
    seed = random_seed();
    rocksdb::WriteBatch batch;
    std::string bytes;
    put_big_endian64(bytes, seed.low);
    put_big_endian64(bytes, seed.high);
    batch.Put(state, slice(kStateHashSeed), bytes);
    batch.Put(state, slice(kStateFormat), slice(kFormatVersion));
    if (Status status = database_->write(batch); !status.ok()) return status;
  }
  index_ = std::make_unique<SeriesIndex>(*database_, seed);
  for (const std::uint64_t epoch : {0, 1}) {
    auto sequence = database_->last_sequence(database_->anchor(epoch));
    if (!sequence.ok()) return sequence.error();
    sequence_ = std::max(sequence_, *sequence);
  }
  if (replayed_records_ == 0) epoch_begin_ = sequence_ + 1;
  if (Status status = database_->get(state, kStateRange, value, found); !status.ok()) return status;
  std::uint64_t min;
  std::uint64_t max;
  ByteReader range(value);
  if (found && range.fixed64(min) && range.fixed64(max)) {
    stored_ = {static_cast<TimestampMs>(min), static_cast<TimestampMs>(max)};
  }
  return {};
}

void StoreCore::register_metrics() {
  const auto gauge = [&](std::string_view name, std::string_view help, auto read) {
    metrics_.callback(this, MetricType::gauge, name, help, [this, read] { return static_cast<double>(read(stats())); });
  };
  gauge("pipit_storage_head_series", "Series in RAM.", [](const StoreStats& s) { return s.head_series; });
  gauge("pipit_storage_head_samples", "Samples in RAM.", [](const StoreStats& s) { return s.head_samples; });
  gauge("pipit_storage_head_bytes", "RAM of the head.", [](const StoreStats& s) { return s.head_bytes; });
  metrics_.callback(this, MetricType::gauge, "pipit_storage_tombstone_series",
                    "Series with deleted samples that are still on disk.",
                    [this] { return static_cast<double>(tombstones_.load()); });
  const auto bytes = [&](std::string_view name, std::string_view help, auto read) {
    metrics_.callback(this, MetricType::gauge, name, help,
                      [this, read] { return static_cast<double>(read(*database_)); });
  };
  bytes("pipit_storage_chunk_file_bytes", "Size of the files that hold chunks.",
        [](const Database& d) { return d.file_bytes(d.chunks()) + d.file_bytes(d.merged()); });
  bytes("pipit_storage_merged_file_bytes", "Size of those of them that hold merged chunks.",
        [](const Database& d) { return d.file_bytes(d.merged()); });
  bytes("pipit_storage_index_file_bytes", "Size of the files that hold the index.",
        [](const Database& d) { return d.file_bytes(d.index()); });
  bytes("pipit_storage_file_bytes", "Size of all files of the store.",
        [](const Database& d) { return d.total_bytes(); });
  bytes("pipit_storage_block_cache_bytes", "RAM of the block cache in use.",
        [](const Database& d) { return d.cache_bytes(); });
  metrics_.callback(this, MetricType::gauge, "pipit_storage_log_bytes",
                    "Write-ahead records since the last checkpoint.", [this] {
                      std::lock_guard lock(commit_mutex_);
                      return static_cast<double>(log_bytes_);
                    });
}

Status StoreCore::close() {
  {
    std::lock_guard lock(background_mutex_);
    stopping_ = true;
  }
  background_wake_.notify_all();
  if (background_.joinable()) background_.join();
  if (syncer_.joinable()) syncer_.join();
  merging_.reset();
  if (!database_) return {};
  metrics_.remove_callbacks(this);
  Status status;
  if (open_) status = checkpoint();  // on failure the log has it all
  {
    std::lock_guard commit_lock(commit_mutex_);
    open_ = false;
  }
  if (!status.ok() && !database_->refuses_writes()) (void)database_->sync_log();
  Status closed = database_->close();
  database_.reset();
  return status.ok() ? closed : status;
}

template <class Work>
void StoreCore::run_background(Work work) {
  std::unique_lock lock(background_mutex_);
  while (!background_wake_.wait_for(lock, kTick, [this] { return stopping_; })) {
    lock.unlock();
    work(Clock::now());
    lock.lock();
  }
}

/// In a thread of its own: a checkpoint or a merge must not delay it.
void StoreCore::sync_if_due(Clock::time_point now) {
  if (database_->refuses_writes()) return;
  {
    std::lock_guard lock(commit_mutex_);
    if (!log_dirty_ || now - last_sync_ + kTick / 2 < std::chrono::milliseconds(options_.log_sync_interval)) return;
    log_dirty_ = false;
  }
  last_sync_ = now;
  if (Status status = database_->sync_log(); !status.ok()) {
    log_error("the write-ahead log did not reach the disk", {{"error", status.error()}});
  }
}

void StoreCore::tick(Clock::time_point now) {
  if (database_->needs_resume() || log_incomplete_) {
    if (now - last_attempt_ < kRetryInterval) return;
    last_attempt_ = now;
    Status status = resume();
    if (status.ok()) {
      log_info("the store writes again");
    } else {
      log_error("the store can't write", {{"error", status.error()}});
    }
    return;
  }
  if (checkpoint_is_due(now)) {
    last_attempt_ = now;
    if (Status status = checkpoint(); !status.ok()) log_error("a checkpoint failed", {{"error", status.error()}});
  }
  if (Status status = merge_in_background(now); !status.ok()) {
    log_error("a day's chunks could not be merged", {{"error", status.error()}});
  }
  if (now - last_retention_ >= kRetentionInterval) {
    last_retention_ = now;
    if (Status status = apply_retention(now_ms()); !status.ok()) {
      log_error("old data could not be dropped", {{"error", status.error()}});
    }
  }
}

/// Resuming drops the old log, so the head has to be on disk before anything else: without room for it, better wait.
/// A kill before that is done finds the image.
Status StoreCore::resume() {
  std::lock_guard checkpoint_lock(checkpoint_mutex_);
  if (!database_->needs_resume()) return checkpoint_now();
  std::uint64_t needed;
  {
    std::lock_guard head_lock(head_mutex_);
    needed = head_.chunk_bytes() + kRoomBesidesChunks;
  }
  std::error_code unknown;
  const auto space = std::filesystem::space(options_.path, unknown);
  if (!unknown && space.available < needed) {
    return Error{ErrorKind::unavailable, "no space left on the disk of the data folder " + options_.path.string() +
                                             ": nothing can be stored until there are " + std::to_string(needed) +
                                             " bytes for what is in RAM"};
  }
  {
    std::lock_guard commit_lock(commit_mutex_);
    log_incomplete_ = true;  // from here on there may be an image, even if keeping it fails in the end
    if (Status status = database_->keep_image(); !status.ok()) return status;
    begin_epoch();  // records from now on must not build on those that the log is about to lose
    if (Status status = database_->resume(); !status.ok()) return status;
    cut_pending_ = false;
    if (Status status = occupy_anchor(); !status.ok()) return status;
  }
  return checkpoint_now();
}

/// RocksDB resumes on a new log only if some memtable has something to flush; on the one that failed, the next write
/// would stop the program. So the epoch's anchor is never empty.
Status StoreCore::occupy_anchor() { return database_->append_log(database_->anchor(epoch_), {}, sequence_); }

bool StoreCore::checkpoint_is_due(Clock::time_point now) const {
  if (now - last_attempt_ < kRetryInterval) return false;
  std::lock_guard lock(commit_mutex_);
  const std::uint64_t room = std::max<std::uint64_t>(options_.head_bytes, kMinBytesPerSeries * head_.series());
  return head_.chunk_bytes() > room || log_bytes_ > kMaxLogBytes + kMaxLogBytesPerSeries * head_.series() ||
         (log_bytes_ > 0 && now - last_checkpoint_.load() >= kCheckpointInterval);
}

StoreStats StoreCore::stats() const {
  std::lock_guard head_lock(head_mutex_);
  StoreStats stats;
  stats.head_series = head_.series();
  stats.head_samples = head_.samples();
  stats.head_bytes = head_.bytes();
  TimeRange range = stored_;
  range.add(recent_);
  stats.min_time = range.min;
  stats.max_time = range.max;
  stats.replayed_records = replayed_records_;
  stats.replay_time = replay_time_;
  return stats;
}

TimestampMs StoreCore::visible_from(TimestampMs min_time) const {
  if (options_.retention <= 0) return min_time;
  TimestampMs newest;
  {
    std::lock_guard head_lock(head_mutex_);
    newest = std::max(stored_.max, recent_.max);
  }
  return std::max(min_time, retention_base(now_ms(), newest) - options_.retention);
}

std::vector<Head::Member> StoreCore::head_members(std::uint32_t metric) const {
  std::lock_guard head_lock(head_mutex_);
  return head_.members(metric);
}

std::vector<Head::Member> StoreCore::head_members(std::uint32_t metric,
                                                  std::span<const std::uint32_t> ordinals) const {
  std::lock_guard head_lock(head_mutex_);
  return head_.members(metric, ordinals);
}

std::vector<std::uint32_t> StoreCore::head_metrics() const {
  std::vector<std::uint32_t> metrics;
  {
    std::lock_guard head_lock(head_mutex_);
    for (const auto& [metric, members] : head_.metrics()) metrics.push_back(metric);
  }
  std::sort(metrics.begin(), metrics.end());
  return metrics;
}

void StoreCore::copy_head(SeriesId id, Head::Slot slot, TimestampMs min_time, TimestampMs max_time,
                          HeadCopy& copy) const {
  copy.pieces.clear();
  copy.bytes.clear();
  copy.complete_from = kMaxTimestamp;
  TimeColumn late_times;
  ValueColumn late_values;
  const auto add = [&](TimestampMs start, TimestampMs end, auto append_bytes) {
    if (start > max_time || end < min_time) return;
    const std::size_t offset = copy.bytes.size();
    append_bytes();
    copy.pieces.push_back({start, offset, copy.bytes.size() - offset});
  };
  {
    std::lock_guard head_lock(head_mutex_);
    copy.departures = departures_;
    copy.stored_min = stored_.min;
    copy.stored_max = stored_.max;
    if (slot == Head::kNoSlot || slot >= head_.slots() || head_.at(slot).id != id) slot = head_.find(id);
    if (slot == Head::kNoSlot) return;
    if (const auto* sealed = head_.sealed(slot)) {
      for (const SealedChunk& chunk : *sealed) {
        if (chunk.late != 0) continue;
        copy.complete_from = std::min(copy.complete_from, chunk.start);
        add(chunk.start, chunk.end, [&] { copy.bytes += chunk.bytes; });
      }
    }
    const OpenChunk& open = head_.at(slot).open;
    if (!open.empty()) {
      copy.complete_from = std::min(copy.complete_from, open.first_time());
      add(open.first_time(), open.last_time(), [&] { open.copy_to(copy.bytes); });
    }
    if (const auto* sealed = head_.sealed(slot)) {
      for (const SealedChunk& chunk : *sealed) {
        if (chunk.late != 0) add(chunk.start, chunk.end, [&] { copy.bytes += chunk.bytes; });
      }
    }
    if (const LateSamples* late = head_.late(slot)) late->copy_to(min_time, max_time, late_times, late_values);
  }
  if (late_times.empty()) return;
  // There can be many, and writers wait for the lock: so only now.
  add(late_times.front(), late_times.back(), [&] { copy.bytes += encode_chunk(late_times, late_values); });
}

bool StoreCore::newest_in_head(SeriesId id, Head::Slot slot, TimestampMs min_time, TimestampMs max_time,
                               TimestampMs& time, double& value) const {
  std::lock_guard head_lock(head_mutex_);
  if (slot == Head::kNoSlot || slot >= head_.slots() || head_.at(slot).id != id) return false;
  const HeadSeries& entry = head_.at(slot);
  time = entry.open.last_time();
  if (entry.open.empty() || time < min_time || time > max_time) return false;
  value = std::bit_cast<double>(entry.open.last_bits());
  return true;
}

bool StoreCore::head_overlaps(SeriesId id, TimestampMs min_time, TimestampMs max_time) const {
  std::lock_guard head_lock(head_mutex_);
  const Head::Slot slot = head_.find(id);
  if (slot == Head::kNoSlot) return false;
  if (const auto* sealed = head_.sealed(slot)) {
    for (const SealedChunk& chunk : *sealed) {
      if (chunk.start <= max_time && chunk.end >= min_time) return true;
    }
  }
  if (const LateSamples* late = head_.late(slot)) {
    if (late->first_time() <= max_time && late->last_time() >= min_time) return true;
  }
  const OpenChunk& open = head_.at(slot).open;
  return !open.empty() && open.first_time() <= max_time && open.last_time() >= min_time;
}

std::uint64_t StoreCore::departures() const {
  std::lock_guard head_lock(head_mutex_);
  return departures_;
}

std::pair<TimestampMs, TimestampMs> StoreCore::stored_range(TimestampMs min_time, TimestampMs max_time) const {
  std::lock_guard head_lock(head_mutex_);
  return {std::max(stored_.min, min_time), std::min(stored_.max, max_time)};
}

std::vector<Partition> StoreCore::partitions(TimestampMs min_time, TimestampMs max_time) const {
  if (min_time > max_time) return {};  // all of the range is beyond retention
  const Partition first = partition_of(std::clamp(min_time, kMinStorableTime, kMaxStorableTime));
  const Partition last = partition_of(std::clamp(max_time, kMinStorableTime, kMaxStorableTime));
  std::lock_guard head_lock(head_mutex_);
  return {partitions_.lower_bound(first), partitions_.upper_bound(last)};
}

Status StoreCore::set_metadata(std::string_view metric, const Metadata& metadata) {
  std::string record(1, static_cast<char>(metadata.type));
  put_text(record, metadata.help);
  put_text(record, metadata.unit);
  const std::uint64_t key = hash_bytes(metric, {}).low;
  const std::uint64_t content = hash_bytes(record, {}).low;
  std::lock_guard commit_lock(commit_mutex_);
  if (Status status = can_write(); !status.ok()) return status;
  auto seen = metadata_seen_.find(key);
  if (seen != metadata_seen_.end() && seen->second == content) return {};
  std::string stored;
  bool found;
  Status status = database_->get(database_->metadata(), metric, stored, found);
  if (!status.ok()) return status;
  if (!found || stored != record) {
    rocksdb::WriteBatch batch;
    batch.Put(database_->metadata(), slice(metric), record);
    if (status = database_->write(batch); !status.ok()) return status;
  }
  metadata_seen_[key] = content;
  return {};
}

Result<std::vector<MetricMetadata>> StoreCore::metadata(std::string_view metric, std::size_t limit) const {
  std::vector<MetricMetadata> found;
  auto it = database_->iterate(database_->metadata());
  for (it->Seek(slice(metric)); it->Valid(); it->Next()) {
    if (!metric.empty() && view(it->key()) != metric) break;
    if (limit != 0 && found.size() == limit) break;
    ByteReader reader(view(it->value()));
    std::uint8_t type;
    std::string_view help;
    std::string_view unit;
    if (!reader.byte(type) || type > static_cast<std::uint8_t>(MetricType::stateset) || !reader.text(help) ||
        !reader.text(unit)) {
      return internal_error("the metadata of metric " + it->key().ToString() + " is damaged");
    }
    found.push_back({it->key().ToString(), {static_cast<MetricType>(type), std::string(help), std::string(unit)}});
  }
  if (!it->status().ok()) return database_->error(it->status(), "read");
  return found;
}

}  // namespace pipit
