#include "storage/chunk.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "model/vectorized.h"
#include "storage/coding.h"
#include "storage/decimal.h"
#include "storage/packed_values.h"
#include "storage/tokens.h"

namespace pipit {
namespace {

Error damaged(std::string_view what) { return internal_error("damaged chunk: " + std::string(what)); }

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

/// How far a chunk's times are apart that are not listed, 0 for a single one; empty when the chunk is damaged.
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

bool decode_decimals(std::string_view body, std::uint32_t count, bool with_unit, double* out) {
  ByteReader reader(body);
  std::uint8_t scale;
  std::uint64_t unit = 1;
  std::uint64_t base = 0;
  if (!reader.byte(scale) || scale > kMaxDecimalScale) return false;
  if (with_unit && (!reader.varint(unit) || !reader.varint(base))) return false;
  const std::string_view tokens = body.substr(body.size() - reader.remaining());
  std::uint64_t n = unzigzag(base);
  const double first = from_decimal(static_cast<std::int64_t>(n), scale);
  const auto escape = [](std::uint64_t bits) { return std::bit_cast<double>(bits); };
  if (scale == 0) {
    const auto take = [&](std::uint64_t delta) {
      return static_cast<double>(static_cast<std::int64_t>(n += delta * unit));
    };
    return read_tokens<double>(tokens, out, count, first, take, escape);
  }
  const auto take = [&](std::uint64_t delta) {
    return from_decimal(static_cast<std::int64_t>(n += delta * unit), scale);
  };
  return read_tokens<double>(tokens, out, count, first, take, escape);
}

/// Of the first `until` of `count` values.
bool newest_decimal(std::string_view body, std::uint32_t count, std::uint32_t until, bool with_unit, double& value) {
  ByteReader reader(body);
  std::uint8_t scale;
  std::uint64_t unit = 1;
  std::uint64_t base = 0;
  if (!reader.byte(scale) || scale > kMaxDecimalScale) return false;
  if (with_unit && (!reader.varint(unit) || !reader.varint(base))) return false;
  NewestToken newest;
  if (!read_newest_token(reader.rest(), count, until, false, newest)) return false;
  const std::uint64_t n = unzigzag(base) + newest.distance * unit;
  value = newest.escape ? std::bit_cast<double>(*newest.escape) : from_decimal(static_cast<std::int64_t>(n), scale);
  return true;
}

bool newest_bits(std::string_view body, std::uint32_t count, std::uint32_t until, double& value) {
  NewestToken newest;
  if (!read_newest_token(body, count, until, true, newest)) return false;
  value = std::bit_cast<double>(newest.distance);
  return true;
}

bool read_newest(const ChunkHeader& header, std::string_view body, double& value) {
  switch (static_cast<ValueEncoding>(header.layout & 0x0f)) {
    case ValueEncoding::decimal:
      return newest_decimal(body, header.count, header.count, false, value);
    case ValueEncoding::decimal_unit:
      return newest_decimal(body, header.count, header.count, true, value);
    case ValueEncoding::bits:
      return newest_bits(body, header.count, header.count, value);
    case ValueEncoding::packed:
      return read_packed_newest(body, header.count, value);
    case ValueEncoding::raw:
      if (body.size() != header.count * sizeof(double)) return false;
      std::memcpy(&value, body.data() + body.size() - sizeof value, sizeof value);
      return true;
  }
  return false;
}

/// The last of the first `until` values.
bool read_value(const ChunkHeader& header, std::string_view body, std::uint32_t until, bool wanted,
                std::vector<double>& scratch, double& value) {
  switch (static_cast<ValueEncoding>(header.layout & 0x0f)) {
    case ValueEncoding::decimal:
      return newest_decimal(body, header.count, until, false, value);
    case ValueEncoding::decimal_unit:
      return newest_decimal(body, header.count, until, true, value);
    case ValueEncoding::bits:
      return newest_bits(body, header.count, until, value);
    case ValueEncoding::packed: {
      std::optional<ChunkSummary> summary;
      if (!wanted && !read_packed_summary(body, header.count, summary)) return false;
      if (summary && summary->count == header.count) {  // no sample is a stale marker
        value = summary->last;
        return true;
      }
      if (scratch.size() < header.count) scratch.resize(header.count);
      if (!decode_packed_values(body, header.count, scratch.data())) return false;
      value = scratch[until - 1];
      return true;
    }
    case ValueEncoding::raw:
      if (body.size() != header.count * sizeof(double)) return false;
      std::memcpy(&value, body.data() + (until - 1) * sizeof value, sizeof value);
      return true;
  }
  return false;
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
  switch (static_cast<ValueEncoding>(header.layout & 0x0f)) {
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
  if (!reader.byte(type)) return damaged("it is empty");
  if (type != kFloatChunk) {
    return damaged("type " + std::to_string(type) + " is unknown to this version, which may be too old for the data");
  }
  if (!reader.byte(header.layout) || !reader.varint(count) || !reader.varint(span)) return damaged("it is cut short");
  if ((header.layout & 0xe0) != 0) return damaged("its layout is unknown to this version");
  if (count == 0 || count > kMaxChunkSamples) return damaged("its number of samples can't be");
  header.count = static_cast<std::uint32_t>(count);
  header.start = start;
  header.end = static_cast<TimestampMs>(static_cast<std::uint64_t>(start) + span);
  if (header.end < start || (span == 0) != (count == 1)) return damaged("its time range can't be");
  header.body = chunk.substr(chunk.size() - reader.remaining());
  return header;
}

Status decode_chunk(const ChunkHeader& header, std::vector<TimestampMs>& times, std::vector<double>& values) {
  const std::size_t before = times.size();
  times.resize(before + header.count);
  values.resize(before + header.count);
  ByteReader body(header.body);
  if (decode_times(header, body, times.data() + before) &&
      decode_values(header, header.body.substr(header.body.size() - body.remaining()), values.data() + before)) {
    return {};
  }
  times.resize(before);
  values.resize(before);
  return damaged("its samples can't be read");
}

Status decode_chunk(std::string_view chunk, TimestampMs start, std::vector<TimestampMs>& times,
                    std::vector<double>& values) {
  auto header = read_chunk_header(chunk, start);
  if (!header.ok()) return header.error();
  return decode_chunk(*header, times, values);
}

Result<double> newest_value(const ChunkHeader& header) {
  ByteReader body(header.body);
  std::string_view times;
  double value;
  const bool good = (header.layout & kListedTimes) == 0 || body.text(times);
  if (!good || !read_newest(header, body.rest(), value)) return damaged("its newest sample can't be read");
  return value;
}

Result<bool> newest_sample(const ChunkHeader& header, TimestampMs until, bool want_value, ChunkScratch& scratch,
                           TimestampMs& time, double& value) {
  if (until < header.start) return false;
  ByteReader body(header.body);
  std::uint32_t count = header.count;  // of the samples that are not too new
  bool good = true;
  if ((header.layout & kListedTimes) != 0) {
    scratch.times.resize(header.count);
    good = decode_times(header, body, scratch.times.data());
    const auto beyond = std::upper_bound(scratch.times.begin(), scratch.times.end(), until);
    if (good) count = static_cast<std::uint32_t>(beyond - scratch.times.begin());
    if (good) time = scratch.times[count - 1];
  } else if (const auto step = even_step(header)) {
    const auto behind = static_cast<std::uint64_t>(until) - static_cast<std::uint64_t>(header.start);
    if (*step != 0) count = static_cast<std::uint32_t>(std::min<std::uint64_t>(behind / *step + 1, header.count));
    time = static_cast<TimestampMs>(static_cast<std::uint64_t>(header.start) + (count - 1) * *step);
  } else {
    good = false;
  }
  if (!good || !read_value(header, body.rest(), count, want_value, scratch.values, value)) {
    return damaged("a sample can't be read");
  }
  return true;
}

Result<std::optional<ChunkSummary>> summarize_chunk(const ChunkHeader& header) {
  std::optional<ChunkSummary> summary;
  if (static_cast<ValueEncoding>(header.layout & 0x0f) == ValueEncoding::packed) {
    ByteReader body(header.body);
    std::string_view times;
    const bool good = (header.layout & kListedTimes) == 0 || body.text(times);
    if (!good || !read_packed_summary(body.rest(), header.count, summary)) return damaged("its summary can't be read");
    return summary;
  }
  // Other encodings are of chunks that are short, or say little.
  std::vector<TimestampMs> times;
  std::vector<double> values;
  if (Status status = decode_chunk(header, times, values); !status.ok()) return status.error();
  return summarize(values);
}

}  // namespace pipit
