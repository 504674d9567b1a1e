// Start after a crash: write-ahead records, which Database::open has made keys, become the head again.

#include <bit>

#include "storage/store_core.h"

namespace pipit {

Status StoreCore::replay() {
  auto it = database_->iterate(database_->state(), false);
  for (it->Seek(slice(record_key(0))); it->Valid(); it->Next()) {
    const std::string_view key = view(it->key());
    if (key.size() != 1 + sizeof(std::uint64_t) || key[0] != kRecordPrefix) break;
    const std::uint64_t sequence = big_endian64(key.data() + 1);
    if (Status status = replay_record(view(it->value())); !status.ok()) {
      return internal_error(status.error().message + " (number " + std::to_string(sequence) + ", in " +
                            options_.path.string() + ")");
    }
    kept_.push_back(sequence);
    sequence_ = std::max(sequence_, sequence);
    log_bytes_ += it->value().size();
    ++replayed_records_;
  }
  if (!it->status().ok()) return database_->error(it->status(), "read");
  for (const auto& [number, slots] : replay_lists_) {
    next_list_ = std::max(next_list_, static_cast<std::uint32_t>(number) + 1);
  }
  replay_lists_ = {};
  replay_slots_ = {};
  replay_values_ = {};
  return {};
}

Status StoreCore::replay_record(std::string_view bytes) {
  LogRecordReader record;
  if (Status status = record.open(bytes); !status.ok()) return status;
  if (record.epoch() != epoch_) {
    replay_lists_.clear();
    epoch_ = static_cast<Epoch>(record.epoch());
  }
  if (Status status = find_replay_slots(record); !status.ok()) return status;
  return replay_samples(record);
}

Status StoreCore::find_replay_slots(const LogRecordReader& record) {
  std::vector<Head::Slot>* slots = &replay_slots_;
  if (record.list() != SeriesList::inlined) slots = &replay_lists_[record.list_number()];
  if (record.list() != SeriesList::known) {
    slots->clear();
    for (const SeriesId id : record.ids()) {
      Head::Slot slot = head_.find(id);
      if (slot == Head::kNoSlot) {
        slot = head_.insert(id, {}, epoch_);
        head_.at(slot).last_unknown = true;
      }
      slots->push_back(slot);
    }
  }
  if (slots->size() != record.count()) return internal_error("damaged write-ahead record: an unknown list of series");
  if (slots != &replay_slots_) replay_slots_.assign(slots->begin(), slots->end());
  return {};
}

/// All values are read before the first is applied, as they were written.
Status StoreCore::replay_samples(LogRecordReader& record) {
  const std::size_t count = record.count();
  replay_values_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const HeadSeries& entry = head_.at(replay_slots_[i]);
    if (!record.next_value({entry.open.last_bits(), entry.epoch == epoch_, 0}, replay_values_[i])) {
      return internal_error("damaged write-ahead record: a value");
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    HeadSeries& entry = head_.at(replay_slots_[i]);
    const TimestampMs time = record.time(i);
    if (entry.last_unknown && time <= stored_.max) {
      if (Status status = know_last(entry); !status.ok()) return status;
    }
    if (time > entry.open.last_time()) {
      head_.append(replay_slots_[i], time, replay_values_[i], epoch_);
      recent_.add(time);
    } else if (entry.open.empty()) {
      // A checkpoint wrote it to a chunk and died before it could say so. The next records build on its value.
      entry.open.remember(entry.open.last_time(), std::bit_cast<std::uint64_t>(replay_values_[i]));
      entry.epoch = epoch_;
    }
  }
  return {};
}

}  // namespace pipit
