#include "model/xor_chunk.h"

#include <algorithm>
#include <bit>

namespace pipit {
namespace {

/// Deltas of deltas: how many bits follow how many ones (and a zero, but for the last, whose number is whole).
struct DeltaClass {
  unsigned ones;
  unsigned bits;
};
constexpr DeltaClass kDeltaClasses[] = {{1, 14}, {2, 17}, {3, 20}};
constexpr unsigned kWholeDelta = 4;
constexpr unsigned kNoWindow = 0xff;

class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}

  void bits(std::uint64_t value, unsigned count) {
    while (count > 0) {
      if (free_ == 0) {
        out_ += '\0';
        free_ = 8;
      }
      const unsigned take = std::min(count, free_);
      const auto part = static_cast<unsigned char>(value >> (count - take) & ((1u << take) - 1));
      out_.back() = static_cast<char>(static_cast<unsigned char>(out_.back()) | part << (free_ - take));
      free_ -= take;
      count -= take;
    }
  }
  void uvarint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bits(value | 0x80, 8);
    bits(value, 8);
  }
  void varint(std::int64_t value) {
    uvarint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }

 private:
  std::string& out_;
  unsigned free_ = 0;  ///< bits of the last byte
};

class BitReader {
 public:
  explicit BitReader(std::string_view in) : in_(in) {}

  bool bits(unsigned count, std::uint64_t& value) {
    value = 0;
    if (in_.size() * 8 - at_ < count) return false;
    while (count > 0) {
      const unsigned offset = static_cast<unsigned>(at_ % 8);
      const unsigned take = std::min(count, 8 - offset);
      const auto byte = static_cast<unsigned char>(in_[at_ / 8]);
      value = value << take | (byte >> (8 - offset - take) & ((1u << take) - 1));
      at_ += take;
      count -= take;
    }
    return true;
  }
  bool uvarint(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::uint64_t byte;
      if (!bits(8, byte)) return false;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool varint(std::int64_t& value) {
    std::uint64_t coded;
    if (!uvarint(coded)) return false;
    value = static_cast<std::int64_t>(coded >> 1 ^ (0 - (coded & 1)));
    return true;
  }
  /// How many ones come before a zero, at most `most`.
  bool ones(unsigned most, unsigned& count) {
    for (count = 0; count < most; ++count) {
      std::uint64_t bit;
      if (!bits(1, bit)) return false;
      if (bit == 0) return true;
    }
    return true;
  }

 private:
  std::string_view in_;
  std::size_t at_ = 0;
};

/// The bits in which two values differ: how many zeros stand before and behind them.
struct ValueWindow {
  unsigned leading = kNoWindow;
  unsigned trailing = 0;
};

void write_delta_of_delta(BitWriter& writer, std::int64_t dod) {
  if (dod == 0) {
    writer.bits(0, 1);
    return;
  }
  for (const auto [ones, bits] : kDeltaClasses) {
    const std::int64_t half = std::int64_t{1} << (bits - 1);
    if (dod < -(half - 1) || dod > half) continue;
    writer.bits((1u << (ones + 1)) - 2, ones + 1);
    writer.bits(static_cast<std::uint64_t>(dod), bits);
    return;
  }
  writer.bits(0b1111, kWholeDelta);
  writer.bits(static_cast<std::uint64_t>(dod), 64);
}

bool read_delta_of_delta(BitReader& reader, std::int64_t& dod) {
  unsigned ones;
  std::uint64_t number = 0;
  if (!reader.ones(kWholeDelta, ones)) return false;
  if (ones == 0) {
    dod = 0;
    return true;
  }
  if (ones == kWholeDelta) {
    if (!reader.bits(64, number)) return false;
    dod = static_cast<std::int64_t>(number);
    return true;
  }
  const unsigned bits = kDeltaClasses[ones - 1].bits;
  if (!reader.bits(bits, number)) return false;
  // One more number is above zero than below.
  if (number > std::uint64_t{1} << (bits - 1)) number -= std::uint64_t{1} << bits;
  dod = static_cast<std::int64_t>(number);
  return true;
}

void write_value(BitWriter& writer, std::uint64_t difference, ValueWindow& window) {
  if (difference == 0) {
    writer.bits(0, 1);
    return;
  }
  writer.bits(1, 1);
  const unsigned leading = std::min(31u, static_cast<unsigned>(std::countl_zero(difference)));
  const unsigned trailing = static_cast<unsigned>(std::countr_zero(difference));
  if (window.leading != kNoWindow && leading >= window.leading && trailing >= window.trailing) {
    writer.bits(0, 1);
  } else {
    window = {leading, trailing};
    writer.bits(1, 1);
    writer.bits(leading, 5);
    writer.bits((64 - leading - trailing) % 64, 6);  // 0 stands for 64
  }
  writer.bits(difference >> window.trailing, 64 - window.leading - window.trailing);
}

bool read_value(BitReader& reader, std::uint64_t& bits, ValueWindow& window) {
  std::uint64_t bit;
  if (!reader.bits(1, bit)) return false;
  if (bit == 0) return true;
  if (!reader.bits(1, bit)) return false;
  if (bit == 1) {
    std::uint64_t leading;
    std::uint64_t width;
    if (!reader.bits(5, leading) || !reader.bits(6, width)) return false;
    if (width == 0) width = 64;
    if (leading + width > 64) return false;
    window = {static_cast<unsigned>(leading), static_cast<unsigned>(64 - leading - width)};
  } else if (window.leading == kNoWindow) {
    return false;
  }
  std::uint64_t difference;
  if (!reader.bits(64 - window.leading - window.trailing, difference)) return false;
  bits ^= difference << window.trailing;
  return true;
}

}  // namespace

void encode_xor_chunk(std::span<const TimestampMs> times, std::span<const double> values, std::string& out) {
  out += static_cast<char>(times.size() >> 8);
  out += static_cast<char>(times.size() & 0xff);
  BitWriter writer(out);
  ValueWindow window;
  std::uint64_t delta = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto bits = std::bit_cast<std::uint64_t>(values[i]);
    if (i == 0) {
      writer.varint(times[0]);
      writer.bits(bits, 64);
      continue;
    }
    const std::uint64_t step = static_cast<std::uint64_t>(times[i]) - static_cast<std::uint64_t>(times[i - 1]);
    if (i == 1) {
      writer.uvarint(step);
    } else {
      write_delta_of_delta(writer, static_cast<std::int64_t>(step - delta));
    }
    delta = step;
    write_value(writer, bits ^ std::bit_cast<std::uint64_t>(values[i - 1]), window);
  }
}

bool decode_xor_chunk(std::string_view chunk, std::vector<TimestampMs>& times, std::vector<double>& values) {
  if (chunk.size() < 2) return false;
  const std::size_t count =
      static_cast<std::size_t>(static_cast<unsigned char>(chunk[0]) << 8 | static_cast<unsigned char>(chunk[1]));
  BitReader reader(chunk.substr(2));
  ValueWindow window;
  std::int64_t time = 0;
  std::uint64_t delta = 0;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == 0) {
      if (!reader.varint(time) || !reader.bits(64, bits)) return false;
    } else {
      if (i == 1) {
        if (!reader.uvarint(delta)) return false;
      } else {
        std::int64_t dod;
        if (!read_delta_of_delta(reader, dod)) return false;
        delta += static_cast<std::uint64_t>(dod);
      }
      time = static_cast<std::int64_t>(static_cast<std::uint64_t>(time) + delta);
      if (!read_value(reader, bits, window)) return false;
    }
    times.push_back(time);
    values.push_back(std::bit_cast<double>(bits));
  }
  return true;
}

}  // namespace pipit
