#include "storage/tombstones.h"

#include <algorithm>

namespace pipit {
namespace {

/// How far the reader steps before it seeks.
constexpr int kSteps = 4;

std::uint64_t bits(TimestampMs time) { return static_cast<std::uint64_t>(time); }

}  // namespace

void add_interval(DeletedIntervals& intervals, DeletedInterval added) {
  // One that ends just before the other begins is joined with it; the subtraction can't overflow, as nothing ends
  // before the smallest time.
  const auto first = std::find_if(intervals.begin(), intervals.end(), [&](const DeletedInterval& i) {
    return added.from == kMinTimestamp || i.to >= added.from - 1;
  });
  auto last = first;
  for (; last != intervals.end() && (added.to == kMaxTimestamp || last->from <= added.to + 1); ++last) {
    added.from = std::min(added.from, last->from);
    added.to = std::max(added.to, last->to);
  }
  intervals.insert(intervals.erase(first, last), added);
}

std::string encode_intervals(const DeletedIntervals& intervals) {
  std::string bytes;
  TimestampMs last = 0;
  for (const DeletedInterval& interval : intervals) {
    put_varint(bytes, zigzag(bits(interval.from) - bits(last)));
    put_varint(bytes, bits(interval.to) - bits(interval.from));
    last = interval.to;
  }
  return bytes;
}

bool decode_intervals(std::string_view bytes, DeletedIntervals& intervals) {
  intervals.clear();
  ByteReader reader(bytes);
  std::uint64_t last = 0;
  while (!reader.done()) {
    std::uint64_t step;
    std::uint64_t length;
    if (!reader.varint(step) || !reader.varint(length)) return false;
    const std::uint64_t from = last + unzigzag(step);
    const DeletedInterval interval{static_cast<TimestampMs>(from), static_cast<TimestampMs>(from + length)};
    if (interval.to < interval.from) return false;
    if (!intervals.empty() && interval.from <= intervals.back().to) return false;
    intervals.push_back(interval);
    last = from + length;
  }
  return true;
}

void drop_deleted(const DeletedIntervals& intervals, TimeColumn& times, ValueColumn& values) {
  for (const DeletedInterval& interval : intervals) {
    const auto first = std::lower_bound(times.begin(), times.end(), interval.from) - times.begin();
    const auto last = std::upper_bound(times.begin() + first, times.end(), interval.to) - times.begin();
    times.erase(times.begin() + first, times.begin() + last);
    values.erase(values.begin() + first, values.begin() + last);
  }
}

TombstoneReader::TombstoneReader(const Database& database)
    : database_(database), it_(database.iterate(database.state())) {}

/// Stands at the first tombstone that is not of a smaller id.
Status TombstoneReader::place(SeriesId id) {
  const std::string target = tombstone_key(id);
  const rocksdb::Slice key = slice(target);
  if (placed_ && it_->Valid()) {
    for (int step = 0; step < kSteps && it_->Valid() && it_->key().compare(key) < 0; ++step) it_->Next();
  }
  if (!placed_ || !it_->Valid() || it_->key().compare(key) < 0) it_->Seek(key);
  placed_ = true;
  if (!it_->Valid() && !it_->status().ok()) return database_.error(it_->status(), "read");
  at_ = it_->Valid() && it_->key().starts_with(std::string(1, kTombstonePrefix)) ? big_endian64(it_->key().data() + 1)
                                                                                 : 0;
  return {};
}

Result<const DeletedIntervals*> TombstoneReader::find(SeriesId id) {
  // Most are passed by without a look at the iterator: it stands at the next one already.
  const bool ahead = placed_ && (at_ == 0 || at_ >= id);
  if (!ahead) {
    if (Status status = place(id); !status.ok()) return status.error();
  }
  if (at_ != id) {
    intervals_.clear();
    return &intervals_;
  }
  if (!decode_intervals(view(it_->value()), intervals_)) return internal_error("a tombstone is damaged");
  return &intervals_;
}

Result<SeriesId> TombstoneReader::next(SeriesId id) {
  if (Status status = place(id); !status.ok()) return status.error();
  return at_;
}

}  // namespace pipit
