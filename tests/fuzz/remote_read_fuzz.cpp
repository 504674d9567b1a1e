// Arbitrary bytes as the body of a remote read, as they are or as what snappy unpacked, and as an XOR chunk: what is
// decoded must come out again when it is encoded and decoded once more.

#include <snappy.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "api/remote_read_request.h"
#include "model/xor_chunk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) {
    static_cast<void>(pipit::decode_read_request(input));
    return 0;
  }
  if (data[0] % 3 == 1) {
    std::string body;
    snappy::Compress(input.data(), input.size(), &body);
    const auto request = pipit::decode_read_request(body);
    if (request.ok() && request->queries.size() > size) std::abort();
    return 0;
  }
  std::vector<pipit::TimestampMs> times;
  std::vector<double> values;
  if (!pipit::decode_xor_chunk(input, times, values) || times.empty()) return 0;
  if (times.size() > 8 * size) std::abort();
  std::string again;
  pipit::encode_xor_chunk(times, values, again);
  std::vector<pipit::TimestampMs> times_again;
  std::vector<double> values_again;
  if (!pipit::decode_xor_chunk(again, times_again, values_again) || times_again != times) std::abort();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::bit_cast<std::uint64_t>(values[i]) != std::bit_cast<std::uint64_t>(values_again[i])) std::abort();
  }
  return 0;
}
