#pragma once

#include <snappy.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/sample.h"

namespace pipit {

/// Writes the protobuf of remote write 1.0, right or wrong as the test wants it.
class RemoteWriteMessage {
 public:
  using LabelList = std::vector<std::pair<std::string, std::string>>;
  using SampleList = std::vector<std::pair<TimestampMs, double>>;

  static void put_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
  }
  static std::string field(int number, std::string_view bytes) {
    std::string out;
    put_varint(out, static_cast<std::uint64_t>(number) << 3 | 2);
    put_varint(out, bytes.size());
    return out.append(bytes);
  }
  static std::string label(std::string_view name, std::string_view value) {
    return field(1, field(1, name) + field(2, value));
  }
  /// As protobuf 3 writes it: zeros are left out.
  static std::string sample(TimestampMs time, double value) {
    std::string fields;
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (bits != 0) {
      fields += '\x09';
      for (int i = 0; i < 8; ++i) fields += static_cast<char>(bits >> (8 * i));
    }
    if (time != 0) {
      fields += '\x10';
      put_varint(fields, static_cast<std::uint64_t>(time));
    }
    return field(2, fields);
  }

  RemoteWriteMessage& series(const LabelList& labels, const SampleList& samples, std::string_view more = "") {
    std::string fields;
    for (const auto& [name, value] : labels) fields += label(name, value);
    for (const auto& [time, value] : samples) fields += sample(time, value);
    return add(field(1, fields.append(more)));
  }
  RemoteWriteMessage& metadata(int type, std::string_view metric, std::string_view help, std::string_view unit) {
    std::string fields = "\x08";
    put_varint(fields, static_cast<std::uint64_t>(type));
    return add(field(3, fields + field(2, metric) + field(4, help) + field(5, unit)));
  }
  RemoteWriteMessage& add(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }

  const std::string& bytes() const { return bytes_; }
  std::string compressed() const { return compress(bytes_); }
  static std::string compress(std::string_view bytes) {
    std::string out;
    snappy::Compress(bytes.data(), bytes.size(), &out);
    return out;
  }

 private:
  std::string bytes_;
};

}  // namespace pipit
