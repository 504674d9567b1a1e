// The way of a batch: judged against the head, written as a record, then put into the head.

#include <algorithm>
#include <array>
#include <bit>

#include "model/duration.h"
#include "storage/chunk_reader.h"
#include "storage/store_core.h"

namespace pipit {
namespace {

/// Of a series' labels, names and values together: beyond it there is an error in the exporter, not a label.
constexpr std::size_t kMaxLabelBytes = 64 << 10;
constexpr std::size_t kMaxPendingBytes = 1 << 20;
/// Lists of handles that are remembered to see whether they come again.
constexpr std::size_t kMaxLists = 16 << 10;
/// Shorter lists are not worth a number.
constexpr std::size_t kMinListed = 8;

TimestampMs time_of(const AppendBatch& batch, std::size_t i) {
  return batch.times.size() == 1 ? batch.times[0] : batch.times[i];
}

}  // namespace

Status StoreCore::can_read() const {
  if (!open_) return Error{ErrorKind::unavailable, "the store is closed"};
  return {};
}

Status StoreCore::can_write() const {
  if (log_incomplete_) {
    return Error{ErrorKind::unavailable,
                 "the disk of the data folder was full: nothing can be stored until what is in "
                 "RAM has been written out"};
  }
  return can_read();
}

Result<SeriesRef> StoreCore::series_ref(const Labels& labels) {
  if (labels.metric_name().empty()) return bad_data("a series needs a metric name: " + labels.to_string());
  if (Status status = can_write(); !status.ok()) return status.error();
  const Hash128 hash = index_->hash(labels);
  {
    std::lock_guard head_lock(head_mutex_);
    const Head::Slot slot = head_.find(hash);
    if (slot != Head::kNoSlot) return head_.ref(slot);
  }
  std::size_t bytes = 0;
  for (const Label& label : labels) bytes += label.name.size() + label.value.size();
  if (bytes > kMaxLabelBytes) {
    return bad_data("labels of " + std::to_string(bytes) + " bytes are too long, at most " +
                    std::to_string(kMaxLabelBytes) + " are stored: " + labels.to_string().substr(0, 200) + "...");
  }
  std::lock_guard commit_lock(commit_mutex_);
  if (Status status = can_write(); !status.ok()) return status.error();
  Head::Slot slot = head_.find(hash);
  if (slot != Head::kNoSlot) return head_.ref(slot);
  auto id = index_->find(hash);
  if (!id.ok()) return id.error();
  const bool returns = *id != 0;
  if (!returns) {
    if (index_->pending_bytes() > kMaxPendingBytes) {
      if (Status status = index_->write_pending(); !status.ok()) return status.error();
    }
    id = index_->create(labels, hash);
    if (!id.ok()) return id.error();
    created_.add();
  }
  std::lock_guard head_lock(head_mutex_);
  slot = head_.find(*id);
  if (slot != Head::kNoSlot) {
    head_.set_hash(slot, hash);  // a restart brought it back without labels
  } else {
    slot = head_.insert(*id, hash, epoch_);
    head_.at(slot).last_unknown = returns;
  }
  return head_.ref(slot);
}

void StoreCore::find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const {
  // Short holds of the lock, and the table's lines can come while others are hashed.
  constexpr std::size_t kAtOnce = 64;
  std::array<Hash128, kAtOnce> hashes;
  for (std::size_t begin = 0; begin < encodings.size(); begin += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, encodings.size() - begin);
    for (std::size_t i = 0; i < count; ++i) hashes[i] = index_->hash_encoded(encodings[begin + i]);
    std::lock_guard head_lock(head_mutex_);
    for (std::size_t i = 0; i < count; ++i) head_.prefetch(hashes[i]);
    for (std::size_t i = 0; i < count; ++i) {
      const Head::Slot slot = head_.find(hashes[i]);
      refs[begin + i] = slot == Head::kNoSlot ? kNoSeries : head_.ref(slot);
    }
  }
}

Result<AppendReport> StoreCore::append(const AppendBatch& batch) {
  AppendReport report;
  if (batch.refs.empty()) return report;
  std::lock_guard commit_lock(commit_mutex_);
  if (Status status = can_write(); !status.ok()) return status.error();
  if (Status status = judge(batch, report); !status.ok()) return status.error();
  if (!slots_.empty() || !late_.empty()) {
    if (Status status = index_->write_pending(); !status.ok()) return status.error();
    log_records_.clear();
    if (!slots_.empty()) encode_record(batch);
    if (!late_.empty()) encode_late_record(batch);
    if (listener_ != nullptr) announce(batch);
    if (Status status = write_records(); !status.ok()) return status.error();
    apply(batch, report);
    apply_late(batch, report);
  }
  appended_.add(report.stored);
  if (report.out_of_order != 0) out_of_order_.add(report.out_of_order);
  if (report.duplicates != 0) duplicates_.add(report.duplicates);
  if (report.too_old != 0) too_old_.add(report.too_old);
  if (report.out_of_bounds != 0) out_of_bounds_.add(report.out_of_bounds);
  return report;
}

Status StoreCore::judge(const AppendBatch& batch, AppendReport& report) {
  const std::size_t count = batch.refs.size();
  const TimestampMs oldest = std::max(visible_from(kMinTimestamp), kMinStorableTime);
  slots_.clear();
  accepted_.clear();
  late_.clear();
  all_accepted_ = true;
  oldest_late_ = oldest_late_time();
  for (std::size_t i = 0; i < count; ++i) {
    constexpr std::size_t kAhead = 8;
    if (i + kAhead < count) head_.prefetch(batch.refs[i + kAhead]);
    const TimestampMs time = time_of(batch, i);
    const Head::Slot slot = head_.resolve(batch.refs[i]);
    bool accept = false;
    if (slot == Head::kNoSlot) {
      report.unknown.push_back(static_cast<std::uint32_t>(i));
    } else if (time < oldest || time > kMaxStorableTime) {
      const bool late = time < oldest && oldest_late_ != kMaxTimestamp;
      report.refuse(late ? AppendReport::Refusal::too_old : AppendReport::Refusal::out_of_bounds,
                    static_cast<std::uint32_t>(i));
    } else {
      HeadSeries& entry = head_.at(slot);
      if (entry.last_unknown && time <= stored_.max) {
        if (Status status = know_last(entry); !status.ok()) return status;
      }
      if (time > entry.open.last_time()) {
        accept = true;
      } else if (time < entry.open.last_time()) {
        if (time >= oldest_late_) {
          late_.emplace_back(static_cast<std::uint32_t>(i), slot);
        } else {
          const bool window = oldest_late_ != kMaxTimestamp;
          report.refuse(window ? AppendReport::Refusal::too_old : AppendReport::Refusal::out_of_order,
                        static_cast<std::uint32_t>(i));
        }
      } else if (std::bit_cast<std::uint64_t>(batch.values[i]) == entry.open.last_bits()) {
        ++report.stored;
      } else {
        report.refuse(AppendReport::Refusal::duplicate, static_cast<std::uint32_t>(i));
      }
    }
    if (!accept && all_accepted_) {
      all_accepted_ = false;
      for (std::size_t before = 0; before < i; ++before) accepted_.push_back(static_cast<std::uint32_t>(before));
    }
    if (!accept) continue;
    slots_.push_back(slot);
    if (!all_accepted_) accepted_.push_back(static_cast<std::uint32_t>(i));
  }
  return {};
}

Status StoreCore::know_last(HeadSeries& entry) {
  TimeColumn times;
  ValueColumn values;
  std::array<std::unique_ptr<rocksdb::Iterator>, 2> iterators;
  for (std::size_t i = 0; i < iterators.size(); ++i) iterators[i] = database_->iterate(database_->chunk_families()[i]);
  for (auto partition = partitions_.rbegin(); partition != partitions_.rend() && times.empty(); ++partition) {
    std::string prefix;
    put_chunk_prefix(prefix, *partition, entry.id);
    for (auto& it : iterators) {
      ChunkKey key;
      it->SeekForPrev(slice(prefix + std::string(9, '\xff')));
      for (; it->Valid() && view(it->key()).starts_with(prefix); it->Prev()) {
        if (!parse_chunk_key(view(it->key()), key)) return internal_error("the chunks are damaged: a key");
        if (key.late == 0) break;  // the newest sample is in a chunk in order
      }
      if (!it->status().ok()) return database_->error(it->status(), "read");
      if (!it->Valid() || !view(it->key()).starts_with(prefix)) continue;
      Status status = append_chunk(view(it->value()), key.start, kMinTimestamp, times, values);
      if (!status.ok()) return status;
    }
  }
  std::lock_guard head_lock(head_mutex_);
  if (!times.empty()) entry.open.remember(times.back(), std::bit_cast<std::uint64_t>(values.back()));
  entry.last_unknown = false;
  return {};
}

TimestampMs StoreCore::oldest_late_time() const {
  const DurationMs window = out_of_order_window_;
  const TimestampMs newest = std::max(stored_.max, recent_.max);
  if (window <= 0) return kMaxTimestamp;
  return newest < kMinTimestamp + window ? kMinTimestamp : newest - window;
}

void StoreCore::encode_record(const AppendBatch& batch) {
  const std::size_t count = slots_.size();
  SeriesList list = SeriesList::inlined;
  std::uint32_t number = 0;
  if (all_accepted_ && count >= kMinListed) {
    const std::string_view handles(reinterpret_cast<const char*>(batch.refs.data()), batch.refs.size_bytes());
    const std::uint64_t hash = hash_bytes(handles, {}).low;
    auto seen = lists_.find(hash);
    if (seen == lists_.end()) {
      if (lists_.size() < kMaxLists) lists_.emplace(hash, 0);
    } else if (seen->second == 0) {
      list = SeriesList::defined;
      number = seen->second = next_list_++;
    } else {
      list = SeriesList::known;
      number = seen->second;
    }
  }
  record_.begin(epoch_, sequence_ + 1 - epoch_begin_, count, list, number);
  if (oldest_late_ != kMaxTimestamp) record_.keep_late(oldest_late_);
  if (list != SeriesList::known) {
    for (const Head::Slot slot : slots_) record_.add_id(head_.at(slot).id);
  }
  const auto index = [&](std::size_t i) { return all_accepted_ ? i : accepted_[i]; };
  if (batch.times.size() == 1 || all_accepted_) {
    record_.set_times(batch.times);
  } else {
    TimeColumn times;
    times.reserve(count);
    for (const std::uint32_t i : accepted_) times.push_back(batch.times[i]);
    record_.set_times(times);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const HeadSeries& entry = head_.at(slots_[i]);
    record_.add_value(batch.values[index(i)], {entry.open.last_bits(), entry.epoch == epoch_, entry.open.scale()});
  }
  log_records_.push_back(record_.finish());
}

void StoreCore::encode_late_record(const AppendBatch& batch) {
  late_record_.begin(epoch_, sequence_ + 1 - epoch_begin_, late_.size(), SeriesList::inlined, 0, kLateRecord);
  for (const auto& [index, slot] : late_) late_record_.add_id(head_.at(slot).id);
  TimeColumn times;
  for (const auto& [index, slot] : late_) times.push_back(time_of(batch, index));
  late_record_.set_times(batch.times.size() == 1 ? batch.times : times);
  for (const auto& [index, slot] : late_) late_record_.add_value(batch.values[index], {});
  log_records_.push_back(late_record_.finish());
}

void StoreCore::set_commit_listener(CommitListener* listener) {
  std::lock_guard commit_lock(commit_mutex_);
  listener_ = listener;
}

void StoreCore::announce(const AppendBatch& batch) {
  announced_ids_.clear();
  announced_times_.clear();
  announced_values_.clear();
  const bool one_time = batch.times.size() == 1;
  const auto add = [&](std::size_t i, Head::Slot slot) {
    announced_ids_.push_back(head_.at(slot).id);
    if (!one_time) announced_times_.push_back(batch.times[i]);
    announced_values_.push_back(batch.values[i]);
  };
  for (std::size_t i = 0; i < slots_.size(); ++i) add(all_accepted_ ? i : accepted_[i], slots_[i]);
  for (const auto& [index, slot] : late_) add(index, slot);
  listener_->committing({announced_ids_, one_time ? batch.times : announced_times_, announced_values_});
}

Status StoreCore::write_records() {
  Status status = database_->append_log(database_->anchor(epoch_), log_records_, sequence_ + 1);
  if (!status.ok()) {
    lists_.clear();  // a number that was defined may be in the log or not: give new ones
    return status;
  }
  if (options_.log_sync_interval == 0) {
    if (status = database_->sync_log(); !status.ok()) return status;
  }
  ++sequence_;
  for (const std::string_view record : log_records_) log_bytes_ += record.size();
  log_dirty_ = true;
  return {};
}

/// Samples that are twice in the batch, or out of order in it, can fail here what they passed before. Where that is
/// allowed they become late ones.
void StoreCore::apply(const AppendBatch& batch, AppendReport& report) {
  std::lock_guard head_lock(head_mutex_);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::size_t at = all_accepted_ ? i : accepted_[i];
    const TimestampMs time = time_of(batch, at);
    const OpenChunk& open = head_.at(slots_[i]).open;
    if (time > open.last_time()) {
      head_.append(slots_[i], time, batch.values[at], epoch_);
      recent_.add(time);
      ++report.stored;
    } else if (time < open.last_time() && time >= oldest_late_) {
      late_.emplace_back(static_cast<std::uint32_t>(at), slots_[i]);
    } else if (time < open.last_time()) {
      report.refuse(AppendReport::Refusal::out_of_order, static_cast<std::uint32_t>(at));
    } else if (std::bit_cast<std::uint64_t>(batch.values[at]) == open.last_bits()) {
      ++report.stored;
    } else {
      report.refuse(AppendReport::Refusal::duplicate, static_cast<std::uint32_t>(at));
    }
  }
}

void StoreCore::apply_late(const AppendBatch& batch, AppendReport& report) {
  if (batch.times.size() != 1) {  // in time's order they come last in their lists, and cost little
    std::ranges::stable_sort(late_, {}, [&](const auto& late) { return batch.times[late.first]; });
  }
  std::lock_guard head_lock(head_mutex_);
  for (const auto& [index, slot] : late_) {
    const TimestampMs time = time_of(batch, index);
    const auto outcome = head_.append_late(slot, time, batch.values[index], epoch_, epoch_begin_);
    if (outcome == LateSamples::Outcome::duplicate) {
      report.refuse(AppendReport::Refusal::duplicate, index);
      continue;
    }
    if (outcome == LateSamples::Outcome::stored) late_stored_.add();
    recent_.add(time);
    ++report.stored;
  }
}

}  // namespace pipit
