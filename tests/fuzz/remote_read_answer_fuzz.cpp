// Arbitrary bytes as the answer to a remote read: a stream of frames as it is, one whose checksum is right, a message
// in snappy. What is read must be sorted, lie in the range and take no more RAM than was allowed.

#include <snappy.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/crc32c.h"
#include "remote/read_message.h"
#include "storage/coding.h"

namespace {

constexpr pipit::TimestampMs kStart = 10;
constexpr pipit::TimestampMs kEnd = 1'000'000;
constexpr pipit::ReadAnswerLimits kLimits{.answer_bytes = 1 << 20, .message_bytes = 1 << 16, .frame_bytes = 1 << 12};

void look_at(const pipit::Result<std::vector<pipit::RemoteSeries>>& answer) {
  if (!answer.ok()) return;
  std::size_t bytes = 0;
  for (const auto& series : *answer) {
    if (series.times.size() != series.values.size()) std::abort();
    for (std::size_t i = 0; i < series.times.size(); ++i) {
      if (series.times[i] < kStart || series.times[i] > kEnd) std::abort();
      if (i > 0 && series.times[i] <= series.times[i - 1]) std::abort();
    }
    bytes += sizeof series + series.times.size() * 16;
  }
  if (bytes > kLimits.answer_bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string body;
  switch (data[0] % 3) {
    case 0:
      look_at(pipit::decode_read_stream(input, kStart, kEnd, kLimits));
      break;
    case 1:
      pipit::put_varint(body, input.size());
      pipit::put_big_endian32(body, pipit::crc32c(input));
      body += input;
      look_at(pipit::decode_read_stream(body, kStart, kEnd, kLimits));
      break;
    default:
      snappy::Compress(input.data(), input.size(), &body);
      look_at(pipit::decode_read_response(body, kStart, kEnd, kLimits));
  }
  return 0;
}
