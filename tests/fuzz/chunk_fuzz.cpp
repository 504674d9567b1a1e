// Hostile bytes as a chunk and as a write-ahead record; and any doubles at any times, which must come back as they
// were.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "storage/chunk.h"
#include "storage/chunk_sample.h"
#include "storage/integer_packer.h"
#include "storage/integer_unpacker.h"
#include "storage/log_record.h"
#include "storage/open_chunk.h"
#include "storage/packed_values.h"
#include "storage/postings.h"

namespace pipit {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool same_bits(const ValueColumn& a, const ValueColumn& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

void decode_anything(std::string_view bytes) {
  TimeColumn times;
  ValueColumn values;
  if (decode_chunk(bytes, 1000, times, values).ok()) {
    require(times.size() == values.size() && !times.empty());
    require(std::adjacent_find(times.begin(), times.end(), std::greater_equal<>()) == times.end());
  }
  if (const auto header = read_chunk_header(bytes, 1000); header.ok()) {
    (void)summarize_chunk(*header).ok();
    ChunkScratch scratch;
    TimestampMs time;
    double value;
    const auto shift = static_cast<TimestampMs>(bytes.size() % 3 * ((header->end - header->start) / 2));
    (void)newest_sample(*header, header->start + shift, bytes.size() % 2 == 0, scratch, time, value).ok();
  }
  // What follows the header of a packed chunk, so that the fuzzer needs not find the header first.
  if (bytes.size() > 3) {
    const auto count = static_cast<std::uint32_t>(
        2 + (static_cast<std::uint8_t>(bytes[0]) << 8 | static_cast<std::uint8_t>(bytes[1])) % 2000);
    values.resize(count);
    (void)decode_packed_values(bytes.substr(2), count, values.data());
  }
  LogRecordReader record;
  if (record.open(bytes).ok()) {
    double value;
    for (std::size_t i = 0; i < record.count() && record.next_value({}, value); ++i) (void)record.time(i);
  }
  PostingRuns runs;  // numbers one by one would be millions
  PostingRuns again;
  if (unite_stored(runs, bytes)) require(unite_stored(again, encode_postings(runs)) && again == runs);
}

void pack(std::string_view bytes) {
  std::vector<std::uint64_t> integers(std::min<std::size_t>(bytes.size() / 8, kMaxPackedIntegers));
  if (integers.empty()) return;
  std::memcpy(integers.data(), bytes.data(), integers.size() * 8);
  IntegerPacker packer;
  packer.plan(integers);
  std::string packed;
  packer.write(packed);
  std::vector<std::uint64_t> back(integers.size());
  IntegerUnpacker unpacker;
  require(unpacker.unpack(packed, back) && back == integers);
}

void round_trip(std::string_view bytes) {
  struct Sample {
    std::uint64_t time;
    double value;
  };
  TimeColumn times;
  ValueColumn values;
  for (; bytes.size() >= sizeof(Sample) && times.size() < OpenChunk::kMaxSamples; bytes.remove_prefix(sizeof(Sample))) {
    Sample sample;
    std::memcpy(&sample, bytes.data(), sizeof sample);
    // An odd number is a time of its own, an even one a small step.
    auto time = static_cast<TimestampMs>(sample.time);
    if (sample.time % 2 == 0 && !times.empty()) {
      if (times.back() > kMaxTimestamp - 70'000) break;
      time = times.back() + 1 + static_cast<TimestampMs>(sample.time % 65'536);
    }
    if (!times.empty() && time <= times.back()) continue;
    times.push_back(time);
    values.push_back(sample.value);
  }
  if (times.empty()) return;
  TimeColumn read_times;
  ValueColumn read_values;
  require(decode_chunk(encode_chunk(times, values), times[0], read_times, read_values).ok());
  require(read_times == times && same_bits(read_values, values));
  read_times.clear();
  read_values.clear();
  PackedValuesEncoder encoder;
  const std::string merged = encode_merged_chunk(times, values, encoder);
  require(decode_chunk(merged, times[0], read_times, read_values).ok());
  require(read_times == times && same_bits(read_values, values));
  const ChunkHeader header = read_chunk_header(merged, times[0]).value();
  require(summarize_chunk(header).ok());
  ChunkScratch scratch;
  TimestampMs newest_time = 0;
  double newest = 0;
  for (const std::size_t i : {times.size() - 1, times.size() / 2}) {
    require(newest_sample(header, times[i], true, scratch, newest_time, newest).value());
    require(newest_time == times[i]);
    require(std::bit_cast<std::uint64_t>(newest) == std::bit_cast<std::uint64_t>(values[i]));
  }
  TimeTracks tracks;
  OpenChunk open;
  for (std::size_t i = 0; i < times.size(); ++i) open.append(times[i], values[i], tracks);
  std::string copy;
  open.copy_to(copy);
  for (const std::string& chunk : {copy, open.seal()}) {
    read_times.clear();
    read_values.clear();
    require(decode_chunk(chunk, times[0], read_times, read_values).ok());
    require(read_times == times && same_bits(read_values, values));
  }
}

}  // namespace
}  // namespace pipit

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  pipit::decode_anything(bytes);
  pipit::pack(bytes);
  pipit::round_trip(bytes);
  return 0;
}
