// Start after a crash: the write-ahead records become the head again, while RocksDB reads its log.

#include <bit>

#include "storage/store_core.h"

namespace pipit {
namespace {

/// How many series ahead the processor is told what comes.
constexpr std::size_t kAhead = 8;

}  // namespace

/// RocksDB may still have the end of an epoch that is in chunks: it keeps a log file for what comes later in it. An
/// epoch without its beginning is therefore skipped, unless it is the newest, which is never without.
Status StoreCore::replay_commit(Database::LogRecords records, std::uint64_t sequence) {
  if (sequence_ != 0 && sequence <= sequence_) return {};
  if (sequence_ != 0 && sequence != sequence_ + 1) {
    return internal_error("write-ahead records " + std::to_string(sequence_ + 1) + " to " +
                          std::to_string(sequence - 1) + " are missing");
  }
  for (const std::string_view bytes : records) {
    if (Status status = replay_record(bytes, sequence); !status.ok()) {
      return internal_error(status.error().message + ", number " + std::to_string(sequence));
    }
  }
  sequence_ = sequence;
  return {};
}

Status StoreCore::replay_record(std::string_view bytes, std::uint64_t sequence) {
  LogRecordReader& record = replay_reader_;
  if (Status status = record.open(bytes); !status.ok()) return status;
  if (record.epoch() != epoch_) {
    replay_lists_.clear();
    // A cut lies between two epochs, and its checkpoint had not ended.
    cut_pending_ = replayed_records_ != 0;
    if (cut_pending_) head_.expect_sealed();
    epoch_ = static_cast<Epoch>(record.epoch());
  }
  epoch_begin_ = sequence - record.position();
  if (replayed_records_ == 0 && record.position() != 0) return {};
  if (Status status = find_replay_slots(record); !status.ok()) return status;
  log_bytes_ += bytes.size();
  ++replayed_records_;
  return record.late() ? replay_late(record) : replay_samples(record);
}

Status StoreCore::end_replay() {
  if (replayed_records_ == 0 && sequence_ != 0) {
    return internal_error("the data folder " + options_.path.string() +
                          " is damaged: the oldest write-ahead records, up to number " + std::to_string(epoch_begin_) +
                          ", are missing. Restore the *.log files from a copy, or move the folder away to start anew");
  }
  for (const auto& [number, slots] : replay_lists_) {
    next_list_ = std::max(next_list_, static_cast<std::uint32_t>(number) + 1);
  }
  head_.list_all();
  replay_index_ = {};
  replay_lists_ = {};
  replay_slots_ = {};
  replay_values_ = {};
  replay_reader_ = {};
  return {};
}

Status StoreCore::find_replay_slots(const LogRecordReader& record) {
  std::vector<Head::Slot>* slots = &replay_slots_;
  if (record.list() != SeriesList::inlined) slots = &replay_lists_[record.list_number()];
  if (record.list() != SeriesList::known) {
    slots->clear();
    const auto ids = record.ids();
    for (const SeriesId id : ids) {
      Head::Slot& slot = replay_index_.slot(id);
      if (slot == Head::kNoSlot) {
        slot = head_.insert_unlisted(id, epoch_);
        head_.at(slot).last_unknown = true;
      }
      slots->push_back(slot);
    }
  }
  if (slots->size() != record.count()) return internal_error("damaged write-ahead record: an unknown list of series");
  if (slots != &replay_slots_) replay_slots_.assign(slots->begin(), slots->end());
  return {};
}

/// All values are read before the first is applied, as they were written. What a checkpoint wrote before it was cut
/// short comes again here and again to the disk, under the same keys.
Status StoreCore::replay_samples(LogRecordReader& record) {
  const std::size_t count = record.count();
  replay_values_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) head_.prefetch_slot(replay_slots_[i + kAhead]);
    const HeadSeries& entry = head_.at(replay_slots_[i]);
    if (!record.next_value({entry.open.last_bits(), entry.epoch == epoch_, 0}, replay_values_[i])) {
      return internal_error("damaged write-ahead record: a value");
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    const TimestampMs time = record.time(i);
    if (time > head_.at(replay_slots_[i]).open.last_time()) {
      head_.append(replay_slots_[i], time, replay_values_[i], epoch_);
      recent_.add(time);
    } else if (time >= record.oldest_late() && time < head_.at(replay_slots_[i]).open.last_time()) {
      recent_.add(time);
      head_.append_late(replay_slots_[i], time, replay_values_[i], epoch_, epoch_begin_);
    }
  }
  return {};
}

Status StoreCore::replay_late(LogRecordReader& record) {
  for (std::size_t i = 0; i < record.count(); ++i) {
    double value;
    if (!record.next_value({}, value)) return internal_error("damaged write-ahead record: a value");
    head_.append_late(replay_slots_[i], record.time(i), value, epoch_, epoch_begin_);
    recent_.add(record.time(i));
  }
  return {};
}

}  // namespace pipit
