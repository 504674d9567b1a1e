#include "storage/open_chunk.h"

#include <bit>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "storage/chunk.h"
#include "storage/coding.h"
#include "storage/decimal.h"
#include "storage/tokens.h"

namespace pipit {
namespace {

/// Larger steps would be a chunk that leaves its partition; they go to the listed times.
constexpr std::uint64_t kMaxInterval = std::numeric_limits<std::uint32_t>::max();

}  // namespace

void OpenChunk::append(TimestampMs time, double value, TimeTracks& tracks) {
  if (count_ == 0) return start(time, value);
  if (std::bit_cast<std::uint64_t>(value) == last_bits_) {
    ++run_;
  } else {
    append_changed(value);  // before the time, as it may read the samples so far
  }
  append_time(time, tracks);
  ++count_;
}

void OpenChunk::start(TimestampMs time, double value) {
  first_time_ = time;
  last_time_ = time;
  last_bits_ = 0;
  last_integer_ = 0;
  if (std::bit_cast<std::uint64_t>(value) == 0) {
    run_ = 1;
    if (scale_ < 0) scale_ = 0;
  } else {
    append_changed(value);
  }
  count_ = 1;
}

void OpenChunk::append_time(TimestampMs time, TimeTracks& tracks) {
  const std::uint64_t step = static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(last_time_);
  last_time_ = time;
  if (track_) {
    tracks.append(track_, count_, time);
  } else if (count_ == 1 && step <= kMaxInterval) {
    interval_ = static_cast<std::uint32_t>(step);
  } else if (step != interval_ || count_ == 1) {
    track_ = tracks.leave_schedule(first_time_, interval_, count_, time);
  }
}

void OpenChunk::append_changed(double value) {
  std::int64_t n;
  if (scale_ >= 0 && !to_decimal(value, scale_, n)) return append_misfit(value);
  encode_value(value);
}

void OpenChunk::append_misfit(double value) {
  if (!is_special(value)) {
    const int wanted = find_decimal_scale(value, scale_ + 1);
    if (wanted >= 0) return encode_again(wanted, value);
  }
  // A stray is cheaper as an escape; a series of strays is not.
  constexpr std::uint32_t kTolerated = 4;
  if (escapes_ >= kTolerated && escapes_ * 8u > count_) return encode_again(-1, value);
  encode_value(value);
}

void OpenChunk::encode_value(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  std::uint8_t buffer[kMaxTokenBytes];
  std::uint8_t* to = write_run(buffer, std::exchange(run_, 0));
  std::int64_t n;
  if (scale_ < 0) {
    to = write_delta(to, bits - last_integer_, bits);
    last_integer_ = bits;
  } else if (to_decimal(value, scale_, n)) {
    to = write_delta(to, static_cast<std::uint64_t>(n) - last_integer_, bits);
    last_integer_ = static_cast<std::uint64_t>(n);
  } else {
    to = write_escape(to, bits);
    ++escapes_;
  }
  last_bits_ = bits;
  append_token(buffer, static_cast<std::size_t>(to - buffer));
}

void OpenChunk::encode_again(int scale, double value) {
  TimeColumn times;
  ValueColumn values;
  if (count_ > 0) {
    std::string chunk;
    copy_to(chunk);
    // Decoding what this object wrote can't fail.
    (void)decode_chunk(chunk, first_time_, times, values);
  }
  values.push_back(value);
  std::int64_t n;
  for (const double each : values) {
    if (scale >= 0 && !is_special(each) && !to_decimal(each, scale, n)) scale = -1;
  }
  scale_ = static_cast<std::int8_t>(scale);
  value_size_ = 0;
  run_ = 0;
  escapes_ = 0;
  last_bits_ = 0;
  last_integer_ = 0;
  for (const double each : values) {
    if (std::bit_cast<std::uint64_t>(each) == last_bits_) {
      ++run_;
    } else {
      encode_value(each);
    }
  }
}

void OpenChunk::append_token(const std::uint8_t* token, std::size_t size) {
  const std::size_t needed = value_size_ + size;
  if (needed > value_capacity_) {
    // malloc's blocks are 16 k + 8 bytes.
    const std::size_t capacity = (needed + needed / 4 + 7) / 16 * 16 + 8;
    auto* grown = static_cast<std::uint8_t*>(std::malloc(capacity));
    if (grown == nullptr) throw std::bad_alloc();
    std::memcpy(grown, data(), value_size_);
    release();
    heap_ = grown;
    value_capacity_ = static_cast<std::uint16_t>(capacity);
  }
  std::memcpy(data() + value_size_, token, size);
  value_size_ = static_cast<std::uint16_t>(needed);
}

void OpenChunk::copy_to(std::string& out) const {
  out += static_cast<char>(kFloatChunk);
  const auto encoding = scale_ < 0 ? ValueEncoding::bits : ValueEncoding::decimal;
  out += static_cast<char>(static_cast<std::uint8_t>(encoding) | (track_ ? kListedTimes : 0));
  put_varint(out, count_);
  put_varint(out, static_cast<std::uint64_t>(last_time_) - static_cast<std::uint64_t>(first_time_));
  if (track_) track_->put_times(out, count_);
  if (scale_ >= 0) out += static_cast<char>(scale_);
  out.append(reinterpret_cast<const char*>(data()), value_size_);
}

std::string OpenChunk::seal() {
  std::string chunk;
  copy_to(chunk);
  // Too short for another encoding to gain anything.
  if (value_size_ <= 4 && !track_) return chunk;
  TimeColumn times;
  ValueColumn values;
  (void)decode_chunk(chunk, first_time_, times, values);
  int scale = 0;
  chunk = encode_chunk(times, values, &scale);
  scale_ = static_cast<std::int8_t>(scale);
  return chunk;
}

void OpenChunk::clear() {
  release();
  track_.reset();
  value_capacity_ = kInline;
  value_size_ = 0;
  count_ = 0;
  run_ = 0;
  interval_ = 0;
  escapes_ = 0;
}

void OpenChunk::release() {
  if (value_capacity_ > kInline) std::free(heap_);
}

}  // namespace pipit
