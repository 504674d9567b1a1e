#include "storage/log_record.h"

#include <bit>

#include "storage/decimal.h"

namespace pipit {
namespace {

constexpr std::uint8_t kListMask = 0x03;
constexpr std::uint8_t kSharedTime = 0x04;
constexpr std::uint8_t kKeepsLate = 0x08;
/// In place of a decimal scale: eight bytes follow.
constexpr std::uint64_t kRawValue = 15;

/// The last value as an integer of that scale, or 0: writer and reader agree by computing the same.
std::int64_t predicted(const Predictor& predictor, int scale) {
  std::int64_t n = 0;
  if (!predictor.known || !to_decimal(std::bit_cast<double>(predictor.last_bits), scale, n)) return 0;
  return n;
}

}  // namespace

void LogRecordWriter::begin(std::uint64_t epoch, std::uint64_t position, std::size_t count, SeriesList list,
                            std::uint64_t list_number, std::uint8_t type) {
  bytes_.assign(1, static_cast<char>(type));
  bytes_ += static_cast<char>(list);
  put_varint(bytes_, epoch);
  put_varint(bytes_, position);
  put_varint(bytes_, count);
  if (list != SeriesList::inlined) put_varint(bytes_, list_number);
  values_.clear();
  changed_.assign((count + 7) / 8, 0);
  next_value_ = 0;
  last_id_ = 0;
}

void LogRecordWriter::keep_late(TimestampMs oldest) {
  bytes_[1] = static_cast<char>(bytes_[1] | kKeepsLate);
  put_varint(bytes_, zigzag(static_cast<std::uint64_t>(oldest)));
}

void LogRecordWriter::add_id(SeriesId id) {
  // Two small numbers: neighbours on a page are often the next metric with a like ordinal.
  put_varint(bytes_, zigzag(std::uint64_t{metric_of(id)} - metric_of(last_id_)));
  put_varint(bytes_, zigzag(std::uint64_t{ordinal_of(id)} - ordinal_of(last_id_)));
  last_id_ = id;
}

void LogRecordWriter::set_times(std::span<const TimestampMs> times) {
  if (times.size() == 1) bytes_[1] = static_cast<char>(bytes_[1] | kSharedTime);
  std::uint64_t last = 0;
  for (const TimestampMs time : times) {
    put_varint(bytes_, zigzag(static_cast<std::uint64_t>(time) - last));
    last = static_cast<std::uint64_t>(time);
  }
}

void LogRecordWriter::add_value(double value, const Predictor& predictor) {
  const std::size_t at = next_value_++;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  if (predictor.known && bits == predictor.last_bits) return;
  changed_[at / 8] = static_cast<std::uint8_t>(changed_[at / 8] | 1U << at % 8);
  int scale = predictor.scale;
  std::int64_t n = 0;
  if (scale >= 0 && !to_decimal(value, scale, n)) scale = find_decimal_scale(value, scale + 1);
  if (scale < 0 || scale >= static_cast<int>(kRawValue)) {
    put_varint(values_, kRawValue);
    put_fixed64(values_, bits);
    return;
  }
  to_decimal(value, scale, n);
  const auto delta = static_cast<std::uint64_t>(n - predicted(predictor, scale));
  put_varint(values_, zigzag(delta) << 4 | static_cast<std::uint64_t>(scale));  // 55 bits of zigzag and 4 of scale
}

std::string_view LogRecordWriter::finish() {
  bytes_.append(reinterpret_cast<const char*>(changed_.data()), changed_.size());
  bytes_ += values_;
  return bytes_;
}

Status LogRecordReader::open(std::string_view record) {
  const Error damaged = internal_error("damaged write-ahead record");
  ByteReader reader(record);
  std::uint8_t flags;
  std::uint64_t count;
  if (!reader.byte(type_)) return damaged;
  if (type_ != kSamplesRecord && type_ != kLateRecord) {
    return internal_error("write-ahead record of type " + std::to_string(type_) + ", which this version does not know");
  }
  if (!reader.byte(flags) || !reader.varint(epoch_) || !reader.varint(position_) || !reader.varint(count))
    return damaged;
  // A sample takes a bit at least.
  if ((flags & ~(kListMask | kSharedTime | kKeepsLate)) != 0 || (flags & kListMask) > 2 || count > record.size() * 8)
    return damaged;
  count_ = static_cast<std::size_t>(count);
  list_ = static_cast<SeriesList>(flags & kListMask);
  if (list_ != SeriesList::inlined && !reader.varint(list_number_)) return damaged;
  std::uint64_t oldest_late = zigzag(static_cast<std::uint64_t>(kMaxTimestamp));
  if ((flags & kKeepsLate) != 0 && !reader.varint(oldest_late)) return damaged;
  oldest_late_ = static_cast<TimestampMs>(unzigzag(oldest_late));
  if (!read_ids(reader) || !read_times(reader, (flags & kSharedTime) != 0)) return damaged;
  if (!reader.bytes((count_ + 7) / 8, changed_)) return damaged;
  values_ = reader;
  next_value_ = 0;
  return {};
}

bool LogRecordReader::read_ids(ByteReader& reader) {
  ids_.clear();
  if (list_ == SeriesList::known) return true;
  ids_.reserve(count_);
  std::uint64_t metric = 0;
  std::uint64_t ordinal = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    std::uint64_t metric_step;
    std::uint64_t ordinal_step;
    if (!reader.varint(metric_step) || !reader.varint(ordinal_step)) return false;
    metric += unzigzag(metric_step);
    ordinal += unzigzag(ordinal_step);
    ids_.push_back(make_series_id(static_cast<std::uint32_t>(metric), static_cast<std::uint32_t>(ordinal)));
  }
  return true;
}

bool LogRecordReader::read_times(ByteReader& reader, bool shared) {
  times_.clear();
  std::uint64_t time = 0;
  for (std::size_t i = 0; i < (shared ? 1 : count_); ++i) {
    std::uint64_t step;
    if (!reader.varint(step)) return false;
    time += unzigzag(step);
    times_.push_back(static_cast<TimestampMs>(time));
  }
  return true;
}

bool LogRecordReader::next_value(const Predictor& predictor, double& value) {
  const std::size_t at = next_value_++;
  if ((static_cast<std::uint8_t>(changed_[at / 8]) >> at % 8 & 1) == 0) {
    value = std::bit_cast<double>(predictor.last_bits);
    return predictor.known;
  }
  std::uint64_t token;
  if (!values_.varint(token)) return false;
  const std::uint64_t scale = token & 0x0f;
  if (scale == kRawValue) {
    std::uint64_t bits;
    if (!values_.fixed64(bits)) return false;
    value = std::bit_cast<double>(bits);
    return true;
  }
  const auto n = static_cast<std::uint64_t>(predicted(predictor, static_cast<int>(scale))) + unzigzag(token >> 4);
  value = from_decimal(static_cast<std::int64_t>(n), static_cast<int>(scale));
  return true;
}

}  // namespace pipit
