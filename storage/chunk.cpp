#include "storage/chunk.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "model/vectorized.h"
#include "storage/chunk_body.h"
#include "storage/coding.h"
#include "storage/decimal.h"
#include "storage/packed_values.h"
#include "storage/tokens.h"

namespace pipit {
namespace {

// ---- writing --------------------------------------------------------------------------------------------

/// Collects tokens; `value` of each call is what an escape would hold.
class TokenList {
 public:
  explicit TokenList(std::size_t expected) { bytes_.reserve(expected); }
  void same() { ++run_; }
  void delta(std::uint64_t delta, std::uint64_t value) {
    std::uint8_t buffer[kMaxTokenBytes];
    append(buffer, write_delta(write_run(buffer, std::exchange(run_, 0)), delta, value));
  }
  void escape(std::uint64_t value) {
    std::uint8_t buffer[kMaxTokenBytes];
    append(buffer, write_escape(write_run(buffer, std::exchange(run_, 0)), value));
  }
  /// Without the last run, which a reader knows.
  const std::string& bytes() const { return bytes_; }

 private:
  void append(const std::uint8_t* from, const std::uint8_t* to) {
    bytes_.append(reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from));
  }
  std::string bytes_;
  std::uint64_t run_ = 0;
};

bool evenly_spaced(std::span<const TimestampMs> times) {
  if (times.size() < 3) return true;
  const auto step = static_cast<std::uint64_t>(times[1]) - static_cast<std::uint64_t>(times[0]);
  for (std::size_t i = 2; i < times.size(); ++i) {
    if (static_cast<std::uint64_t>(times[i]) - static_cast<std::uint64_t>(times[i - 1]) != step) return false;
  }
  return true;
}

std::string encode_times(std::span<const TimestampMs> times) {
  TokenList tokens(times.size());
  std::uint64_t last = 0;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const auto step = static_cast<std::uint64_t>(times[i]) - static_cast<std::uint64_t>(times[i - 1]);
    if (step == last) {
      tokens.same();
    } else {
      tokens.delta(step - last, step);
    }
    last = step;
  }
  return tokens.bytes();
}

struct Decimals {
  int scale = 0;
  std::uint64_t unit = 1;
  std::int64_t base = 0;
};

/// The common factor of all deltas: bytes of memory come in pages, so their deltas do.
Decimals common_unit(std::span<const double> values, int scale) {
  Decimals found{scale, 0, 0};
  bool first = true;
  std::int64_t last = 0;
  std::uint64_t last_bits = ~std::bit_cast<std::uint64_t>(values[0]);
  for (const double value : values) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    std::int64_t n;
    if (std::exchange(last_bits, bits) == bits || !to_decimal(value, scale, n)) continue;
    if (first) {
      found.base = n;
    } else if (n != last) {
      found.unit = std::gcd(found.unit, static_cast<std::uint64_t>(n > last ? n - last : last - n));
      if (found.unit == 1) break;
    }
    first = false;
    last = n;
  }
  if (found.unit <= 1) return {scale, 1, 0};
  return found;
}

std::string encode_decimals(std::span<const double> values, const Decimals& how) {
  TokenList tokens(values.size());
  std::int64_t n = how.base;
  auto last = std::bit_cast<std::uint64_t>(from_decimal(n, how.scale));
  for (const double value : values) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    std::int64_t next;
    if (bits == last) {
      tokens.same();
    } else if (to_decimal(value, how.scale, next)) {
      const std::int64_t steps = (next - n) / static_cast<std::int64_t>(how.unit);
      tokens.delta(static_cast<std::uint64_t>(steps), bits);
      if (next != n) n = next;
    } else {
      tokens.escape(bits);
    }
    last = bits;
  }
  return tokens.bytes();
}

std::string encode_bits(std::span<const double> values) {
  TokenList tokens(values.size() * 4);
  std::uint64_t last = 0;
  for (const double value : values) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (bits == last) {
      tokens.same();
    } else {
      tokens.delta(bits - last, bits);
    }
    last = bits;
  }
  return tokens.bytes();
}

void put_signed(std::string& out, std::int64_t value) { put_varint(out, zigzag(static_cast<std::uint64_t>(value))); }

/// Appends the values in the smallest encoding, which it returns.
ValueEncoding append_values(std::string& out, std::span<const double> values, int scale) {
  std::string best;
  ValueEncoding encoding = ValueEncoding::raw;
  std::size_t best_size = values.size() * sizeof(double);
  const auto consider = [&](const Decimals& how) {
    std::string bytes(1, static_cast<char>(scale));
    if (how.unit > 1) {
      put_varint(bytes, how.unit);
      put_signed(bytes, how.base);
    }
    bytes += encode_decimals(values, how);
    if (bytes.size() >= best_size) return;
    encoding = how.unit > 1 ? ValueEncoding::decimal_unit : ValueEncoding::decimal;
    best_size = bytes.size();
    best = std::move(bytes);
  };
  if (scale >= 0) {
    consider({scale, 1, 0});
    if (const Decimals how = common_unit(values, scale); how.unit > 1) consider(how);
  }
  if (best_size > values.size() * 2) {
    if (std::string bits = encode_bits(values); bits.size() < best_size) {
      encoding = ValueEncoding::bits;
      best = std::move(bits);
    }
  }
  if (encoding == ValueEncoding::raw) {
    for (const double value : values) put_fixed64(out, std::bit_cast<std::uint64_t>(value));
  } else {
    out += best;
  }
  return encoding;
}

// ---- reading --------------------------------------------------------------------------------------------

/// Writes exactly `count` integers' images to `out`. `take(delta)` gives the next value after a delta,
/// `escape(bits)` after an escape. False when the tokens are damaged.
template <class T, class Take, class Escape>
bool read_tokens(std::string_view tokens, T* out, std::size_t count, T first, Take take, Escape escape) {
  ByteReader reader(tokens);
  T* const end = out + count;
  T last = first;
  while (out != end && !reader.done()) {
    std::uint64_t token;
    if (!reader.varint(token)) return false;
    if (token > kTokenEscape) {
      last = take(unzigzag(token - kTokenDeltaBase));
      *out++ = last;
    } else if (token == kTokenSame) {
      *out++ = last;
    } else if (token == kTokenRun) {
      std::uint64_t run;
      if (!reader.varint(run) || run > static_cast<std::uint64_t>(end - out)) return false;
      run += kMinRun;
      if (run > static_cast<std::uint64_t>(end - out)) return false;
      std::fill_n(out, run, last);
      out += run;
    } else {
      std::uint64_t bits;
      if (!reader.fixed64(bits)) return false;
      last = escape(bits);
      *out++ = last;
    }
  }
  std::fill(out, end, last);
  return reader.done();
}

void fill_evenly(TimestampMs start, std::uint64_t step, std::uint32_t count, TimestampMs* out) {
  vectorized([=]() __attribute__((always_inline)) {
    constexpr std::uint32_t kBlock = 16;
    std::uint64_t offsets[kBlock];
    for (std::uint32_t k = 0; k < kBlock; ++k) offsets[k] = k * step;
    auto time = static_cast<std::uint64_t>(start);
    std::uint32_t i = 0;
    for (; i + kBlock <= count; i += kBlock, time += kBlock * step) {
      for (std::uint32_t k = 0; k < kBlock; ++k) out[i + k] = static_cast<TimestampMs>(time + offsets[k]);
    }
    for (; i < count; ++i, time += step) out[i] = static_cast<TimestampMs>(time);
  });
}

bool decode_decimals(std::string_view body, std::uint32_t count, bool with_unit, double* out) {
  ByteReader reader(body);
  DecimalHead head;
  if (!read_decimal_head(reader, with_unit, head)) return false;
  const std::string_view tokens = reader.rest();
  std::uint64_t n = head.base;
  const double first = from_decimal(static_cast<std::int64_t>(n), head.scale);
  const auto escape = [](std::uint64_t bits) { return std::bit_cast<double>(bits); };
  if (head.scale == 0) {
    const auto take = [&](std::uint64_t delta) {
      return static_cast<double>(static_cast<std::int64_t>(n += delta * head.unit));
    };
    return read_tokens<double>(tokens, out, count, first, take, escape);
  }
  const auto take = [&](std::uint64_t delta) {
    return from_decimal(static_cast<std::int64_t>(n += delta * head.unit), head.scale);
  };
  return read_tokens<double>(tokens, out, count, first, take, escape);
}

std::optional<ChunkSummary> summarize(std::span<const double> values) {
  ChunkSummary found;
  bool integers = true;
  double sum = 0;
  for (const double value : values) {
    if (is_stale_nan(value)) continue;
    if (is_special(value)) return std::nullopt;
    std::int64_t n;
    integers = integers && to_decimal(value, 0, n);
    sum += value;
    if (found.count++ == 0) {
      found.first = found.last = found.min = found.max = value;
      continue;
    }
    if (value != found.last) ++found.changes;
    if (value < found.last) ++found.resets;
    found.min = std::min(found.min, value);
    found.max = std::max(found.max, value);
    found.last = value;
  }
  if (found.count == 0) return std::nullopt;
  if (integers && exact_sum(found)) found.sum = sum;
  return found;
}

bool decode_values(const ChunkHeader& header, std::string_view body, double* out) {
  switch (encoding_of(header)) {
    case ValueEncoding::decimal:
      return decode_decimals(body, header.count, false, out);
    case ValueEncoding::decimal_unit:
      return decode_decimals(body, header.count, true, out);
    case ValueEncoding::bits: {
      std::uint64_t bits = 0;
      const auto take = [&](std::uint64_t delta) { return std::bit_cast<double>(bits += delta); };
      const auto escape = [&](std::uint64_t value) { return std::bit_cast<double>(bits = value); };
      return read_tokens<double>(body, out, header.count, 0.0, take, escape);
    }
    case ValueEncoding::packed:
      return decode_packed_values(body, header.count, out);
    case ValueEncoding::raw:
      if (body.size() != header.count * sizeof(double)) return false;
      std::memcpy(out, body.data(), body.size());
      return true;
  }
  return false;
}

/// All of a chunk but its values; the layout byte is still without their encoding.
std::string begin_chunk(std::span<const TimestampMs> times) {
  std::string chunk;
  chunk.reserve(16 + times.size());
  chunk += static_cast<char>(kFloatChunk);
  const bool even = evenly_spaced(times);
  chunk += static_cast<char>(even ? 0 : kListedTimes);
  put_varint(chunk, times.size());
  put_varint(chunk, static_cast<std::uint64_t>(times.back()) - static_cast<std::uint64_t>(times.front()));
  if (!even) put_text(chunk, encode_times(times));
  return chunk;
}

void set_encoding(std::string& chunk, ValueEncoding encoding) {
  chunk[1] = static_cast<char>(chunk[1] | static_cast<char>(encoding));
}

}  // namespace

std::string encode_chunk(std::span<const TimestampMs> times, std::span<const double> values, int* scale_hint) {
  const int scale = common_scale(values);
  if (scale_hint != nullptr) *scale_hint = scale;
  std::string chunk = begin_chunk(times);
  set_encoding(chunk, append_values(chunk, values, scale));
  return chunk;
}

std::string encode_merged_chunk(std::span<const TimestampMs> times, std::span<const double> values,
                                PackedValuesEncoder& encoder) {
  std::string chunk = begin_chunk(times);
  if (!encoder.encode(values, chunk)) return encode_chunk(times, values);
  set_encoding(chunk, ValueEncoding::packed);
  // Tokens win where little changes, or where no two values have anything in common.
  const bool regular = encoder.changes() * 4 > values.size() && chunk.size() < values.size() * 4;
  if (regular) return chunk;
  std::string tokens = encode_chunk(times, values);
  return tokens.size() < chunk.size() ? tokens : chunk;
}

Result<ChunkHeader> read_chunk_header(std::string_view chunk, TimestampMs start) {
  ByteReader reader(chunk);
  std::uint8_t type;
  ChunkHeader header;
  std::uint64_t count;
  std::uint64_t span;
  if (!reader.byte(type)) return damaged_chunk("it is empty");
  if (type != kFloatChunk) {
    return damaged_chunk("type " + std::to_string(type) +
                         " is unknown to this version, which may be too old for the data");
  }
  if (!reader.byte(header.layout) || !reader.varint(count) || !reader.varint(span))
    return damaged_chunk("it is cut short");
  if ((header.layout & 0xe0) != 0) return damaged_chunk("its layout is unknown to this version");
  if (count == 0 || count > kMaxChunkSamples) return damaged_chunk("its number of samples can't be");
  header.count = static_cast<std::uint32_t>(count);
  header.start = start;
  header.end = static_cast<TimestampMs>(static_cast<std::uint64_t>(start) + span);
  if (header.end < start || (span == 0) != (count == 1)) return damaged_chunk("its time range can't be");
  header.body = chunk.substr(chunk.size() - reader.remaining());
  return header;
}

std::optional<std::uint64_t> even_step(const ChunkHeader& header) {
  const auto span = static_cast<std::uint64_t>(header.end) - static_cast<std::uint64_t>(header.start);
  const std::uint64_t step = header.count > 1 ? span / (header.count - 1) : 0;
  if (step * (header.count - 1) != span || (step == 0 && header.count > 1)) return std::nullopt;
  return step;
}

bool decode_times(const ChunkHeader& header, ByteReader& body, TimestampMs* out) {
  if ((header.layout & kListedTimes) == 0) {
    const auto step = even_step(header);
    if (step) fill_evenly(header.start, *step, header.count, out);
    return step.has_value();
  }
  const auto span = static_cast<std::uint64_t>(header.end) - static_cast<std::uint64_t>(header.start);
  std::string_view tokens;
  if (!body.text(tokens)) return false;
  std::uint64_t step = 0;
  const auto take = [&](std::uint64_t delta) { return static_cast<TimestampMs>(step += delta); };
  const auto escape = [&](std::uint64_t value) { return static_cast<TimestampMs>(step = value); };
  out[0] = header.start;
  if (!read_tokens<TimestampMs>(tokens, out + 1, header.count - 1, 0, take, escape)) return false;
  std::uint64_t behind = 0;  // how far from the start
  for (std::uint32_t i = 1; i < header.count; ++i) {
    const auto next = behind + static_cast<std::uint64_t>(out[i]);
    if (next <= behind || next > span) return false;
    behind = next;
    out[i] = static_cast<TimestampMs>(static_cast<std::uint64_t>(header.start) + behind);
  }
  return behind == span;
}

Status decode_chunk(const ChunkHeader& header, TimeColumn& times, ValueColumn& values) {
  const std::size_t before = times.size();
  times.resize(before + header.count);
  values.resize(before + header.count);
  ByteReader body(header.body);
  if (decode_times(header, body, times.data() + before) && decode_values(header, body.rest(), values.data() + before)) {
    return {};
  }
  times.resize(before);
  values.resize(before);
  return damaged_chunk("its samples can't be read");
}

Status decode_chunk(std::string_view chunk, TimestampMs start, TimeColumn& times,
                    ValueColumn& values) {
  auto header = read_chunk_header(chunk, start);
  if (!header.ok()) return header.error();
  return decode_chunk(*header, times, values);
}

Result<std::optional<ChunkSummary>> stored_summary(const ChunkHeader& header) {
  std::optional<ChunkSummary> summary;
  if (encoding_of(header) != ValueEncoding::packed) return summary;
  ByteReader body(header.body);
  std::string_view times;
  const bool good = (header.layout & kListedTimes) == 0 || body.text(times);
  if (!good || !read_packed_summary(body.rest(), header.count, summary)) {
    return damaged_chunk("its summary can't be read");
  }
  return summary;
}

Result<std::optional<ChunkSummary>> summarize_chunk(const ChunkHeader& header) {
  if (encoding_of(header) == ValueEncoding::packed) return stored_summary(header);
  // Other encodings are of chunks that are short, or say little.
  TimeColumn times;
  ValueColumn values;
  if (Status status = decode_chunk(header, times, values); !status.ok()) return status.error();
  return summarize(values);
}

}  // namespace pipit
