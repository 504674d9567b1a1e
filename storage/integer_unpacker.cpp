#include "storage/integer_unpacker.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "storage/coding.h"

namespace pipit {
namespace {

/// An entry of the table: the bin, the length of its code, and the code and offset together.
constexpr std::uint32_t entry_of(std::size_t bin, unsigned length, unsigned total) {
  return static_cast<std::uint32_t>(bin) << 16 | length << 8 | total;
}

/// 57 bits or more from a position on; zeros beyond the end.
inline std::uint64_t load_bits(const std::uint8_t* bytes, std::size_t size, std::size_t position) {
  std::uint64_t word = 0;
  const std::size_t at = position >> 3;
  if (at + sizeof word <= size) [[likely]] {
    std::memcpy(&word, bytes + at, sizeof word);
  } else if (at < size) {
    std::memcpy(&word, bytes + at, size - at);
  }
  return word >> (position & 7);
}

constexpr unsigned kLoadedBits = 57;

inline std::uint64_t low_bits(std::uint64_t word, unsigned count) {
  return word & (count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1);
}

struct Streams {
  const std::uint8_t* bytes;
  std::size_t size;
  std::array<std::size_t, kPackedStreams> position;  ///< in bits
  std::array<std::size_t, kPackedStreams> end;       ///< in bytes
};

struct Tables {
  const std::uint32_t* table;
  std::uint64_t mask;
  const std::uint64_t* lower;
  std::size_t spare;  ///< bits that are loaded besides the longest code and offset, or the longest code
};

/// The integer whose code and offset are the lowest bits of `word`, which loses them.
inline std::uint64_t take_integer(std::uint64_t& word, std::size_t& position, const Tables& tables) {
  const std::uint32_t entry = tables.table[word & tables.mask];
  const unsigned total = entry & 0xff;
  const std::uint64_t offset = (word & ((std::uint64_t{1} << total) - 1)) >> (entry >> 8 & 0xff);
  word >>= total;
  position += total;
  return tables.lower[entry >> 16] + offset;
}

/// The same wherever the bits are, and however many.
inline std::uint64_t next_integer(const Streams& in, const Tables& tables, std::size_t& position) {
  const std::uint64_t word = load_bits(in.bytes, in.size, position);
  const std::uint32_t entry = tables.table[word & tables.mask];
  const unsigned length = entry >> 8 & 0xff;
  const unsigned extra = (entry & 0xff) - length;
  std::uint64_t offset = low_bits(load_bits(in.bytes, in.size, position + length), std::min(extra, 32U));
  if (extra > 32) offset |= low_bits(load_bits(in.bytes, in.size, position + length + 32), extra - 32) << 32;
  position += entry & 0xff;
  return tables.lower[entry >> 16] + offset;
}

/// What may happen in the middle of a round, in which each stream's bits are loaded once.
enum class Refill {
  never,     ///< kAtOnce times the longest code and offset are loaded at once
  at_times,  ///< the bits are loaded again where there may be too few left: the longest offsets are those of outliers
  outliers,  ///< and some codes and offsets together are too long to be loaded at once
};

/// Reads `rounds` times `kAtOnce` integers of each of four streams. REQUIRES: no load goes beyond the end.
template <unsigned kAtOnce, Refill kRefill, class T>
inline __attribute__((always_inline)) void read_rounds(Streams& in, const Tables& tables, std::size_t rounds, T* out) {
  auto [p0, p1, p2, p3] = in.position;
  const auto load = [&](std::size_t position) {
    std::uint64_t word;
    std::memcpy(&word, in.bytes + (position >> 3), sizeof word);
    return word >> (position & 7);
  };
  for (; rounds > 0; --rounds) {
    std::uint64_t w0 = load(p0);
    std::uint64_t w1 = load(p1);
    std::uint64_t w2 = load(p2);
    std::uint64_t w3 = load(p3);
    [[maybe_unused]] std::array<std::size_t, kPackedStreams> loaded = {p0, p1, p2, p3};
    const auto take = [&](std::uint64_t& word, std::size_t& position, std::size_t stream) {
      if constexpr (kRefill != Refill::never) {
        if (position - loaded[stream] > tables.spare) {
          word = load(position);
          loaded[stream] = position;
        }
      }
      if constexpr (kRefill == Refill::outliers) {
        if ((tables.table[word & tables.mask] & 0xff) + (position - loaded[stream]) > kLoadedBits) [[unlikely]] {
          const std::uint64_t integer = next_integer(in, tables, position);
          word = load(position);
          loaded[stream] = position;
          return std::bit_cast<T>(integer);
        }
      }
      return std::bit_cast<T>(take_integer(word, position, tables));
    };
    for (unsigned i = 0; i < kAtOnce; ++i, out += kPackedStreams) {
      out[0] = take(w0, p0, 0);
      out[1] = take(w1, p1, 1);
      out[2] = take(w2, p2, 2);
      out[3] = take(w3, p3, 3);
    }
  }
  in.position = {p0, p1, p2, p3};
}

template <unsigned kAtOnce, Refill kRefill, class T>
void read_rounds_anywhere(Streams& in, const Tables& tables, std::size_t rounds, T* out) {
  read_rounds<kAtOnce, kRefill>(in, tables, rounds, out);
}

#if defined(__x86_64__)
/// Shifts by any number of bits are one instruction here.
template <unsigned kAtOnce, Refill kRefill, class T>
__attribute__((target("bmi2"))) void read_rounds_bmi2(Streams& in, const Tables& tables, std::size_t rounds, T* out) {
  read_rounds<kAtOnce, kRefill>(in, tables, rounds, out);
}
#endif

template <unsigned kAtOnce, Refill kRefill, class T>
void dispatch_rounds(Streams& in, const Tables& tables, std::size_t rounds, T* out) {
#if defined(__x86_64__)
  static const bool has_bmi2 = __builtin_cpu_supports("bmi2") != 0;
  if (has_bmi2) return read_rounds_bmi2<kAtOnce, kRefill>(in, tables, rounds, out);
#endif
  read_rounds_anywhere<kAtOnce, kRefill>(in, tables, rounds, out);
}

/// Reads integers of four streams while that can be done without a look at the end; returns how many.
template <unsigned kAtOnce, Refill kRefill, class T>
std::size_t read_far_from_end(Streams& in, const Tables& tables, unsigned longest, std::span<T> out) {
  constexpr std::size_t kPerRound = kAtOnce * kPackedStreams;
  const std::size_t most_bits = std::size_t{std::max(longest, 1U)} * kAtOnce;  // of one stream in a round
  std::size_t done = 0;
  for (;;) {
    const std::size_t furthest = *std::max_element(in.position.begin(), in.position.end());
    const std::size_t safe = in.size * 8 < furthest + 64 ? 0 : in.size * 8 - 64 - furthest;
    const std::size_t rounds = std::min(safe / most_bits, (out.size() - done) / kPerRound);
    if (rounds == 0) return done;
    dispatch_rounds<kAtOnce, kRefill>(in, tables, rounds, out.data() + done);
    done += rounds * kPerRound;
  }
}

template <class T>
void read_streams(Streams& in, const Tables& tables, unsigned longest, std::span<T> out) {
  const std::size_t streams = packed_streams_of(out.size());
  std::size_t i = 0;
  if (streams == kPackedStreams) {
    if (4 * longest <= kLoadedBits) {
      i = read_far_from_end<4, Refill::never>(in, tables, longest, out);
    } else if (2 * longest <= kLoadedBits) {
      i = read_far_from_end<2, Refill::never>(in, tables, longest, out);
    } else if (longest <= kLoadedBits) {
      i = read_far_from_end<3, Refill::at_times>(in, tables, longest, out);
    } else {
      i = read_far_from_end<2, Refill::outliers>(in, tables, longest, out);
    }
  }
  for (; i < out.size(); ++i) out[i] = std::bit_cast<T>(next_integer(in, tables, in.position[i % streams]));
}

}  // namespace

bool IntegerUnpacker::read_tree(std::string_view bytes, std::size_t& at, unsigned width, std::uint64_t smallest) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t position = at * 8;
  const auto take = [&](unsigned count) {
    const std::uint64_t bits = low_bits(load_bits(data, bytes.size(), position), count);
    position += count;
    return static_cast<unsigned>(bits);
  };
  struct Node {
    std::uint64_t lower;
    unsigned width;
  };
  std::array<Node, 66> pending;  // the right halves of the divisions above, and the node that is next
  std::size_t depth = 0;
  pending[depth++] = {smallest, width};
  bins_ = 0;
  while (depth > 0) {
    if (position > bytes.size() * 8) return false;
    const Node node = pending[--depth];
    if (take(1) != 0) {
      if (node.width == 0) return false;
      pending[depth++] = {node.lower + (std::uint64_t{1} << (node.width - 1)), node.width - 1};
      pending[depth++] = {node.lower, node.width - 1};
      continue;
    }
    const unsigned length = take(kCodeLengthBits);
    if (length == 0 && node.width != width) continue;  // nothing is in it
    if (length > kMaxCodeLength || bins_ == kMaxBins) return false;
    lower_[bins_] = node.lower;
    extra_[bins_] = static_cast<std::uint8_t>(node.width);
    length_[bins_++] = static_cast<std::uint8_t>(length);
  }
  at = (position + 7) / 8;
  return at <= bytes.size();
}

/// False when the codes aren't complete.
bool IntegerUnpacker::build_table() {
  CodeCounts of_length{};
  table_bits_ = 0;
  longest_ = 0;
  for (std::size_t i = 0; i < bins_; ++i) {
    ++of_length[length_[i]];
    table_bits_ = std::max<unsigned>(table_bits_, length_[i]);
    longest_ = std::max<unsigned>(longest_, length_[i] + extra_[i]);
  }
  std::uint64_t used = 0;
  for (unsigned l = 0; l <= table_bits_; ++l) used += std::uint64_t{of_length[l]} << (table_bits_ - l);
  if (used != std::uint64_t{1} << table_bits_) return false;
  auto next = first_codes(of_length);
  for (std::size_t i = 0; i < bins_; ++i) {
    const unsigned length = length_[i];
    const std::uint32_t entry = entry_of(i, length, length + extra_[i]);
    for (std::size_t at = reversed_code(next[length]++, length); at >> table_bits_ == 0;
         at += std::size_t{1} << length) {
      table_[at] = entry;
    }
  }
  return true;
}

bool IntegerUnpacker::unpack(std::string_view bytes, std::span<std::uint64_t> out) { return unpack_into(bytes, out); }
bool IntegerUnpacker::unpack(std::string_view bytes, std::span<double> out) { return unpack_into(bytes, out); }

template <class T>
bool IntegerUnpacker::unpack_into(std::string_view bytes, std::span<T> out) {
  ByteReader reader(bytes);
  std::uint64_t smallest;
  std::uint8_t width;
  if (!reader.varint(smallest) || !reader.byte(width) || width > 64) return false;
  smallest = unzigzag(smallest);
  if (width == 0) {
    std::fill(out.begin(), out.end(), std::bit_cast<T>(smallest));
    return reader.done();
  }
  std::size_t at = bytes.size() - reader.remaining();
  if (!read_tree(bytes, at, width, smallest) || !build_table()) return false;
  ByteReader sizes(bytes.substr(at));
  Streams in{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), {}, {}};
  const std::size_t streams = packed_streams_of(out.size());
  std::array<std::uint64_t, kPackedStreams> size{};
  for (std::size_t s = 0; s + 1 < streams; ++s) {
    if (!sizes.varint(size[s]) || size[s] > bytes.size()) return false;
  }
  at = bytes.size() - sizes.remaining();
  for (std::size_t s = 0; s < streams; ++s) {
    in.position[s] = at * 8;
    at = s + 1 < streams ? at + size[s] : bytes.size();
    if (at > bytes.size()) return false;
    in.end[s] = at;
  }
  const Tables tables{table_.data(), (std::uint64_t{1} << table_bits_) - 1, lower_.data(),
                      kLoadedBits - (longest_ <= kLoadedBits ? longest_ : kMaxCodeLength)};
  read_streams(in, tables, longest_, out);
  for (std::size_t s = 0; s < streams; ++s) {
    if ((in.position[s] + 7) / 8 != in.end[s]) return false;
  }
  return true;
}

}  // namespace pipit
