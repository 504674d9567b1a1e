#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "model/sample.h"
#include "storage/time_track.h"

namespace pipit {

/// The newest samples of one series, encoded as they arrive, in 72 bytes plus what the values need: a series
/// that does not change needs nothing more. Times off schedule are kept once for all series that share them.
///
/// Its bytes are a chunk's (chunk.h) at any moment, except that the last runs are still counters.
/// After `clear` it is empty but remembers the last sample, by which the next one is judged. Not thread-safe.
class OpenChunk {
 public:
  OpenChunk() = default;
  OpenChunk(OpenChunk&& other) = delete;
  ~OpenChunk() { release(); }

  /// `tracks` outlives this object. REQUIRES: empty(), or time > last_time() and !full().
  void append(TimestampMs time, double value, TimeTracks& tracks);
  /// The common case of `append`, the last value again and on schedule. False, and nothing done, when it is not that.
  bool append_repeated(TimestampMs time, double value) {
    if (std::bit_cast<std::uint64_t>(value) != last_bits_ || count_ < 2 || track_ || full()) return false;
    if (static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(last_time_) != interval_) return false;
    last_time_ = time;
    ++run_;
    ++count_;
    return true;
  }
  /// Appends the samples so far to `out` as a chunk, as they are encoded. REQUIRES: !empty().
  void copy_to(std::string& out) const;
  /// The same in the smallest encoding. Remembers the scale it found for the samples to come. REQUIRES: !empty().
  std::string seal();
  /// Forgets the samples, save for the last one's time and value.
  void clear();
  /// Sets what the last sample is said to be, for a series that returns. REQUIRES: empty().
  void remember(TimestampMs time, std::uint64_t value_bits) {
    last_time_ = time;
    last_bits_ = value_bits;
  }

  bool empty() const { return count_ == 0; }
  bool full() const { return count_ >= kMaxSamples; }
  std::uint32_t count() const { return count_; }
  TimestampMs first_time() const { return first_time_; }
  TimestampMs last_time() const { return last_time_; }
  std::uint64_t last_bits() const { return last_bits_; }
  /// Of the decimals so far, or -1: a hint at how the next value can be written.
  int scale() const { return scale_; }
  /// Bytes outside of this object, but for the track of its times, which it shares.
  std::size_t heap_bytes() const { return value_capacity_ > kInline ? value_capacity_ + sizeof(void*) : 0; }

  /// Keeps the encoded sizes below 64 KiB at the worst, and the time to decode an open chunk short.
  static constexpr std::uint32_t kMaxSamples = 2048;

 private:
  static constexpr std::size_t kInline = 16;

  void start(TimestampMs time, double value);
  void append_time(TimestampMs time, TimeTracks& tracks);
  void append_changed(double value);
  void append_misfit(double value);
  /// Writes the samples so far and `value` anew, with another scale (-1 is bits).
  void encode_again(int scale, double value);
  void encode_value(double value);
  void append_token(const std::uint8_t* token, std::size_t size);
  std::uint8_t* data() { return value_capacity_ > kInline ? heap_ : inline_; }
  const std::uint8_t* data() const { return value_capacity_ > kInline ? heap_ : inline_; }
  void release();

  TimestampMs first_time_ = 0;
  TimestampMs last_time_ = kMinTimestamp;
  std::uint64_t last_bits_ = 0;
  std::uint64_t last_integer_ = 0;  // n of a decimal, or the bits
  TimeTracks::Track track_;         // only when the schedule isn't regular
  union {
    std::uint8_t inline_[kInline] = {};
    std::uint8_t* heap_;
  };
  std::uint32_t interval_ = 0;  // of the regular schedule, from the second sample on
  std::uint16_t count_ = 0;
  std::uint16_t run_ = 0;  // unchanged values that are not written yet
  std::uint16_t value_size_ = 0;
  std::uint16_t value_capacity_ = kInline;
  std::uint16_t escapes_ = 0;
  std::int8_t scale_ = 0;
};

}  // namespace pipit
