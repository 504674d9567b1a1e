#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace pipit {

// The integers of the store's formats (docs/storage.md): LEB128 varints, zigzag for signed ones, big endian where keys
// must sort. Doubles are their bits, little endian.

inline constexpr std::size_t kMaxVarintBytes = 10;

inline std::uint64_t zigzag(std::uint64_t signed_bits) { return (signed_bits << 1) ^ (0 - (signed_bits >> 63)); }
inline std::uint64_t unzigzag(std::uint64_t coded) { return (coded >> 1) ^ (0 - (coded & 1)); }

/// Writes at most kMaxVarintBytes and returns the end.
inline std::uint8_t* write_varint(std::uint8_t* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<std::uint8_t>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<std::uint8_t>(value);
  return to;
}

inline void put_varint(std::string& out, std::uint64_t value) {
  std::uint8_t bytes[kMaxVarintBytes];
  const auto* end = write_varint(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
}

inline std::uint8_t* write_fixed64(std::uint8_t* to, std::uint64_t value) {
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

inline void put_fixed64(std::string& out, std::uint64_t value) {
  std::uint8_t bytes[8];
  write_fixed64(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

inline void put_big_endian32(std::string& out, std::uint32_t value) {
  value = __builtin_bswap32(value);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// REQUIRES: eight bytes at `to`.
inline void write_big_endian64(char* to, std::uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
}

inline void put_big_endian64(std::string& out, std::uint64_t value) {
  value = __builtin_bswap64(value);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// REQUIRES: four bytes at `from`.
inline std::uint32_t big_endian32(const char* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap32(value);
}

/// REQUIRES: eight bytes at `from`.
inline std::uint64_t big_endian64(const char* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap64(value);
}

inline void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

/// Reads what the functions above wrote. Every read checks the end and returns false beyond it, for stored bytes
/// may be damaged.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes)
      : at_(reinterpret_cast<const std::uint8_t*>(bytes.data())), end_(at_ + bytes.size()) {}

  bool byte(std::uint8_t& value) {
    if (at_ == end_) return false;
    value = *at_++;
    return true;
  }

  bool varint(std::uint64_t& value) {
    if (at_ != end_ && *at_ < 0x80) {  // nearly always
      value = *at_++;
      return true;
    }
    return long_varint(value);
  }

  bool fixed64(std::uint64_t& value) {
    if (remaining() < sizeof value) return false;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return true;
  }

  bool bytes(std::uint64_t size, std::string_view& view) {
    if (remaining() < size) return false;
    view = {reinterpret_cast<const char*>(at_), static_cast<std::size_t>(size)};
    at_ += size;
    return true;
  }

  bool text(std::string_view& view) {
    std::uint64_t size;
    return varint(size) && bytes(size, view);
  }

  /// All that is left, which stays unread.
  std::string_view rest() const { return {reinterpret_cast<const char*>(at_), remaining()}; }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  bool done() const { return at_ == end_; }

 private:
  bool long_varint(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return false;
      const std::uint64_t next = *at_++;
      if (shift == 63 && next > 1) return false;
      value |= (next & 0x7f) << shift;
      if (next < 0x80) return true;
    }
    return false;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

}  // namespace pipit
