#include "storage/chunk_sample.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "storage/chunk_body.h"
#include "storage/packed_values.h"
#include "storage/tokens.h"

namespace pipit {
namespace {

/// The last integer of a list of tokens: how far it is from the first, unless an escape holds it.
struct NewestToken {
  std::uint64_t distance = 0;
  std::optional<std::uint64_t> escape;
};

/// Looks at the first `until` of `count` integers. With `absolute` the integers are counted on from an escape. False
/// when the tokens are damaged.
bool read_newest_token(std::string_view tokens, std::uint64_t count, std::uint64_t until, bool absolute,
                       NewestToken& newest) {
  ByteReader reader(tokens);
  const std::uint64_t beyond = count - until;
  while (!reader.done() && (count > beyond || beyond == 0)) {
    std::uint64_t token;
    std::uint64_t integers = 1;
    if (!reader.varint(token)) return false;
    if (token > kTokenEscape) {
      newest.distance += unzigzag(token - kTokenDeltaBase);
      newest.escape.reset();
    } else if (token == kTokenRun) {
      if (!reader.varint(integers) || integers > count) return false;
      integers += kMinRun;
    } else if (token == kTokenEscape) {
      std::uint64_t bits;
      if (!reader.fixed64(bits)) return false;
      if (absolute) {
        newest.distance = bits;
      } else {
        newest.escape = bits;
      }
    }
    if (integers > count) return false;
    count -= integers;
  }
  return true;
}

/// Of the first `until` of `count` values.
bool newest_decimal(std::string_view body, std::uint32_t count, std::uint32_t until, bool with_unit, double& value) {
  ByteReader reader(body);
  DecimalHead head;
  NewestToken newest;
  if (!read_decimal_head(reader, with_unit, head)) return false;
  if (!read_newest_token(reader.rest(), count, until, false, newest)) return false;
  const std::uint64_t n = head.base + newest.distance * head.unit;
  value =
      newest.escape ? std::bit_cast<double>(*newest.escape) : from_decimal(static_cast<std::int64_t>(n), head.scale);
  return true;
}

bool newest_bits(std::string_view body, std::uint32_t count, std::uint32_t until, double& value) {
  NewestToken newest;
  if (!read_newest_token(body, count, until, true, newest)) return false;
  value = std::bit_cast<double>(newest.distance);
  return true;
}

/// The same of packed values. Unless one is `wanted`, a chunk without stale markers gives any.
bool newest_packed(std::string_view body, std::uint32_t count, std::uint32_t until, bool wanted,
                   ValueColumn& scratch, double& value) {
  if (until == count) return read_packed_newest(body, count, value);
  std::optional<ChunkSummary> summary;
  if (!wanted && !read_packed_summary(body, count, summary)) return false;
  if (summary && summary->count == count) {
    value = summary->last;
    return true;
  }
  if (scratch.size() < count) scratch.resize(count);
  if (!decode_packed_values(body, count, scratch.data())) return false;
  value = scratch[until - 1];
  return true;
}

bool newest_value(const ChunkHeader& header, std::string_view body, std::uint32_t until, bool wanted,
                  ValueColumn& scratch, double& value) {
  switch (encoding_of(header)) {
    case ValueEncoding::decimal:
      return newest_decimal(body, header.count, until, false, value);
    case ValueEncoding::decimal_unit:
      return newest_decimal(body, header.count, until, true, value);
    case ValueEncoding::bits:
      return newest_bits(body, header.count, until, value);
    case ValueEncoding::packed:
      return newest_packed(body, header.count, until, wanted, scratch, value);
    case ValueEncoding::raw:
      if (body.size() != header.count * sizeof(double)) return false;
      std::memcpy(&value, body.data() + (until - 1) * sizeof value, sizeof value);
      return true;
  }
  return false;
}

/// How many samples are at or before `until`, which is not before the first, and the time of the last of them. Moves
/// `body` on to the values. 0 when the bytes are damaged.
std::uint32_t samples_until(const ChunkHeader& header, TimestampMs until, ByteReader& body,
                            TimeColumn& scratch, TimestampMs& time) {
  if ((header.layout & kListedTimes) == 0) {
    const auto step = even_step(header);
    if (!step) return 0;
    const auto behind = static_cast<std::uint64_t>(until) - static_cast<std::uint64_t>(header.start);
    const std::uint64_t count = *step == 0 ? 1 : std::min<std::uint64_t>(behind / *step + 1, header.count);
    time = static_cast<TimestampMs>(static_cast<std::uint64_t>(header.start) + (count - 1) * *step);
    return static_cast<std::uint32_t>(count);
  }
  if (until >= header.end) {
    std::string_view times;
    time = header.end;
    return body.text(times) ? header.count : 0;
  }
  scratch.resize(header.count);
  if (!decode_times(header, body, scratch.data())) return 0;
  const auto beyond = std::upper_bound(scratch.begin(), scratch.end(), until);
  time = *(beyond - 1);
  return static_cast<std::uint32_t>(beyond - scratch.begin());
}

}  // namespace

Result<bool> newest_sample(const ChunkHeader& header, TimestampMs until, bool want_value, ChunkScratch& scratch,
                           TimestampMs& time, double& value) {
  if (until < header.start) return false;
  ByteReader body(header.body);
  const std::uint32_t count = samples_until(header, until, body, scratch.times, time);
  if (count == 0 || !newest_value(header, body.rest(), count, want_value, scratch.values, value)) {
    return damaged_chunk("a sample can't be read");
  }
  return true;
}

}  // namespace pipit
