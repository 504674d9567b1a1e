#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/coding.h"

namespace pipit {

// Protobuf as remote write and remote read have it, by hand: a library would cost 4 MB of RSS.

namespace protobuf {

inline constexpr unsigned kVarint = 0;
inline constexpr unsigned kFixed64 = 1;
inline constexpr unsigned kBytes = 2;
inline constexpr unsigned kFixed32 = 5;

/// A field's number and wire type, in one byte. REQUIRES: field < 16.
constexpr char tag(unsigned field, unsigned wire_type) { return static_cast<char>(field << 3 | wire_type); }

inline void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  out += tag(field, kBytes);
  put_text(out, bytes);
}

/// Nothing for 0, which is what a field is that is not there.
inline void put_number(std::string& out, unsigned field, std::uint64_t number) {
  if (number == 0) return;
  out += tag(field, kVarint);
  put_varint(out, number);
}

/// The fields of a message, one after another.
class Fields {
 public:
  explicit Fields(std::string_view message) : reader_(message) {}

  /// False at the end and at a malformed field.
  bool next() {
    std::uint64_t head;
    if (reader_.done() || !good_) return false;
    good_ = reader_.varint(head) && head >> 3 != 0;
    if (!good_) return false;
    number = head >> 3;
    type = static_cast<unsigned>(head & 7);
    switch (type) {
      case kVarint:
        good_ = reader_.varint(varint);
        break;
      case kBytes:
        good_ = reader_.text(bytes);
        break;
      case kFixed64:
      case kFixed32:
        good_ = reader_.bytes(type == kFixed64 ? 8 : 4, bytes);
        break;
      default:
        good_ = false;
    }
    return good_;
  }
  /// Whether all fields up to here were well formed.
  bool good() const { return good_; }
  bool is(std::uint64_t field, unsigned wire_type) const { return number == field && type == wire_type; }

  // Of the field that `next` moved to.
  std::uint64_t number = 0;
  unsigned type = 0;
  std::uint64_t varint = 0;
  std::string_view bytes;  ///< of a length-delimited one, its content; of a fixed one, its bytes

 private:
  ByteReader reader_;
  bool good_ = true;
};

}  // namespace protobuf
}  // namespace pipit
