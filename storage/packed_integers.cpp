#include "storage/packed_integers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "storage/coding.h"

namespace pipit {
namespace {

constexpr unsigned kLengthBits = 4;
/// Shorter lists have one stream, others four, which a processor reads side by side.
constexpr std::size_t kMinInterleaved = 256;
/// Fewer integers in a bin never pay for a division of it: an empty half costs five bits and the division one.
constexpr std::size_t kMinDivisible = 6;
constexpr float kDivisionBits = 1;
constexpr float kBinBits = 1 + kLengthBits;

constexpr std::size_t kStreams = 4;
constexpr std::size_t streams_of(std::size_t count) { return count < kMinInterleaved ? 1 : kStreams; }

/// An integer's bin is looked for from the first one that its highest bits leave possible.
constexpr unsigned kFirstBinBits = 10;
constexpr std::size_t kFirstBins = std::size_t{1} << kFirstBinBits;

/// An entry of the table: the bin, the length of its code, and the code and offset together.
constexpr std::uint32_t entry_of(std::size_t bin, unsigned length, unsigned total) {
  return static_cast<std::uint32_t>(bin) << 16 | length << 8 | total;
}

float log2_of(std::size_t count) {
  static const auto logs = [] {
    std::array<float, 1024> table{};
    for (std::size_t i = 1; i < table.size(); ++i) table[i] = std::log2(static_cast<float>(i));
    return table;
  }();
  return count < logs.size() ? logs[count] : std::log2(static_cast<float>(count));
}

std::uint32_t reversed(std::uint32_t code, unsigned length) {
  std::uint32_t result = 0;
  for (unsigned i = 0; i < length; ++i) result |= (code >> i & 1) << (length - 1 - i);
  return result;
}

/// Appends bits, the lowest first.
class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}
  /// REQUIRES: at most 56 bits.
  void put(std::uint64_t bits, unsigned count) {
    held_ |= bits << size_;
    size_ += count;
    for (; size_ >= 8; size_ -= 8, held_ >>= 8) out_ += static_cast<char>(held_);
  }
  void finish() {
    if (size_ > 0) out_ += static_cast<char>(held_);
    held_ = size_ = 0;
  }

 private:
  std::string& out_;
  std::uint64_t held_ = 0;
  unsigned size_ = 0;
};

/// How many codes there are of each length.
using CodeCounts = std::array<std::uint32_t, kMaxCodeLength + 1>;

/// The first code of each length. Codes ascend by length, then by bin.
CodeCounts first_codes(const CodeCounts& of_length) {
  CodeCounts first{};
  for (unsigned l = 2; l <= kMaxCodeLength; ++l) first[l] = (first[l - 1] + of_length[l - 1]) << 1;
  return first;
}

}  // namespace

// ---- writing --------------------------------------------------------------------------------------------

std::size_t IntegerPacker::plan(std::span<const std::uint64_t> integers) {
  integers_ = integers;
  smallest_ = integers[0];
  for (const std::uint64_t integer : integers) {
    if (static_cast<std::int64_t>(integer) < static_cast<std::int64_t>(smallest_)) smallest_ = integer;
  }
  sorted_.resize(integers.size());
  std::uint64_t widest = 0;
  for (std::size_t i = 0; i < integers.size(); ++i) widest |= sorted_[i] = integers[i] - smallest_;
  width_ = static_cast<unsigned>(std::bit_width(widest));
  if (width_ == 0) return 0;
  sort();
  bins_.clear();
  nodes_.clear();
  log_all_ = log2_of(integers.size());
  divide(0, sorted_.size(), 0, width_);
  set_code_lengths();
  std::size_t bits = nodes_.size() * static_cast<std::size_t>(kBinBits);
  for (const Bin& bin : bins_) bits += std::size_t{bin.count} * (bin.length + bin.extra);
  return bits;
}

/// Byte by byte, the lowest first.
void IntegerPacker::sort() {
  if (sorted_.size() < 64) return std::sort(sorted_.begin(), sorted_.end());
  sort_buffer_.resize(sorted_.size());
  for (unsigned shift = 0; shift < width_; shift += 8) {
    std::array<std::uint32_t, 257> position{};
    for (const std::uint64_t value : sorted_) ++position[(value >> shift & 0xff) + 1];
    for (std::size_t i = 1; i < 256; ++i) position[i] += position[i - 1];
    for (const std::uint64_t value : sorted_) sort_buffer_[position[value >> shift & 0xff]++] = value;
    sorted_.swap(sort_buffer_);
  }
}

/// Finds the cheapest division of [lower, lower + 2^width) into bins, by halves. Returns its cost in bits, the
/// integers' included, as an entropy coder would have it.
float IntegerPacker::divide(std::size_t begin, std::size_t end, std::uint64_t lower, unsigned width) {
  const std::size_t count = end - begin;
  if (count == 0) {
    nodes_.push_back(kEmpty);
    return kBinBits;
  }
  const float whole = kBinBits + static_cast<float>(count) * (log_all_ - log2_of(count) + static_cast<float>(width));
  const std::size_t node = nodes_.size();
  const std::size_t bin = bins_.size();
  if (width > 0 && count >= kMinDivisible) {
    const std::uint64_t middle = lower + (std::uint64_t{1} << (width - 1));
    const auto from = sorted_.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto to = sorted_.begin() + static_cast<std::ptrdiff_t>(end);
    const auto half = static_cast<std::size_t>(std::lower_bound(from, to, middle) - sorted_.begin());
    nodes_.push_back(kSplit);
    float divided = kDivisionBits + divide(begin, half, lower, width - 1);
    divided += divide(half, end, middle, width - 1);
    if (divided < whole) return divided;
    nodes_.resize(node);
    bins_.resize(bin);
  }
  nodes_.push_back(static_cast<std::uint32_t>(bin));
  bins_.push_back({lower, static_cast<std::uint32_t>(count), 0, static_cast<std::uint8_t>(width), 0});
  return whole;
}

/// Huffman's lengths, by two queues; those beyond the limit are shortened to it and others lengthened for it.
void IntegerPacker::set_code_lengths() {
  const std::size_t n = bins_.size();
  if (n == 1) return;
  order_.resize(n);
  for (std::size_t i = 0; i < n; ++i) order_[i] = static_cast<std::uint32_t>(i);
  std::sort(order_.begin(), order_.end(),
            [&](auto a, auto b) { return bins_[a].count != bins_[b].count ? bins_[a].count < bins_[b].count : a < b; });
  weights_.resize(2 * n - 1);
  parents_.resize(2 * n - 1);
  for (std::size_t i = 0; i < n; ++i) weights_[i] = bins_[order_[i]].count;
  std::size_t leaf = 0;
  std::size_t inner = n;
  for (std::size_t made = n; made < 2 * n - 1; ++made) {
    weights_[made] = 0;
    for (int child = 0; child < 2; ++child) {
      const bool take_leaf = leaf < n && (inner == made || weights_[leaf] <= weights_[inner]);
      const std::size_t taken = take_leaf ? leaf++ : inner++;
      weights_[made] += weights_[taken];
      parents_[taken] = static_cast<std::uint32_t>(made);
    }
  }
  // From here on weights_ are depths.
  CodeCounts of_length{};
  weights_[2 * n - 2] = 0;
  for (std::size_t i = 2 * n - 2; i-- > 0;) {
    weights_[i] = weights_[parents_[i]] + 1;
    if (i < n) ++of_length[std::min<std::uint64_t>(weights_[i], kMaxCodeLength)];
  }
  std::uint64_t used = 0;
  for (unsigned l = 1; l <= kMaxCodeLength; ++l) used += std::uint64_t{of_length[l]} << (kMaxCodeLength - l);
  for (; used > std::uint64_t{1} << kMaxCodeLength; --used) {
    unsigned shorter = kMaxCodeLength - 1;
    while (of_length[shorter] == 0) --shorter;
    --of_length[shorter];
    of_length[shorter + 1] += 2;
    --of_length[kMaxCodeLength];
  }
  std::size_t at = 0;
  for (unsigned l = kMaxCodeLength; l >= 1; --l) {  // the rarest have the longest
    for (std::uint32_t i = 0; i < of_length[l]; ++i) bins_[order_[at++]].length = static_cast<std::uint8_t>(l);
  }
}

void IntegerPacker::set_codes() {
  if (bins_.size() == 1) return;
  CodeCounts of_length{};
  for (const Bin& bin : bins_) ++of_length[bin.length];
  auto next = first_codes(of_length);
  for (Bin& bin : bins_) bin.code = reversed(next[bin.length]++, bin.length);
}

void IntegerPacker::write_tree(std::string& out) const {
  BitWriter bits(out);
  for (const std::uint32_t node : nodes_) {
    if (node == kSplit) {
      bits.put(1, 1);
    } else {
      bits.put(node == kEmpty ? 0 : bins_[node].length << 1, 1 + kLengthBits);
    }
  }
  bits.finish();
}

void IntegerPacker::write(std::string& out) {
  put_varint(out, zigzag(smallest_));
  out += static_cast<char>(width_);
  if (width_ == 0) return;
  set_codes();
  write_tree(out);
  find_first_bins();
  const std::size_t streams = streams_of(integers_.size());
  constexpr std::size_t kMostBytes = (kMaxCodeLength + 64 + 7) / 8;
  stream_bytes_.resize(integers_.size() * kMostBytes + streams * sizeof(std::uint64_t));
  std::size_t end = 0;
  for (std::size_t s = 0; s < streams; ++s) {
    const std::size_t size = write_stream(s, streams, stream_bytes_.data() + end);
    if (s + 1 < streams) put_varint(out, size);
    end += size;
  }
  out.append(reinterpret_cast<const char*>(stream_bytes_.data()), end);
}

void IntegerPacker::find_first_bins() {
  first_bin_.resize(kFirstBins);
  const unsigned shift = width_ > kFirstBinBits ? width_ - kFirstBinBits : 0;
  std::size_t bin = 0;
  for (std::size_t i = 0; i < kFirstBins; ++i) {
    const std::uint64_t lowest = static_cast<std::uint64_t>(i) << shift;
    while (bin + 1 < bins_.size() && bins_[bin + 1].lower <= lowest) ++bin;
    first_bin_[i] = static_cast<std::uint16_t>(bin);
  }
}

/// Writes every `step`th integer and returns the bytes. REQUIRES: room for eight bytes more than they take.
std::size_t IntegerPacker::write_stream(std::size_t first, std::size_t step, std::uint8_t* to) {
  const std::uint8_t* const start = to;
  const unsigned shift = width_ > kFirstBinBits ? width_ - kFirstBinBits : 0;
  std::uint64_t held = 0;
  unsigned size = 0;
  const auto put = [&](std::uint64_t bits, unsigned count) {  // at most 56
    held |= bits << size;
    size += count;
    write_fixed64(to, held);
    to += size >> 3;
    held >>= size & ~7U;
    size &= 7;
  };
  for (std::size_t i = first; i < integers_.size(); i += step) {
    const std::uint64_t above = integers_[i] - smallest_;
    std::size_t at = first_bin_[above >> shift];
    while (at + 1 < bins_.size() && bins_[at + 1].lower <= above) ++at;
    const Bin& bin = bins_[at];
    const std::uint64_t offset = above - bin.lower;
    if (bin.extra <= 56 - kMaxCodeLength) {
      put(offset << bin.length | bin.code, bin.length + bin.extra);
    } else {
      put((offset & 0xffffffff) << bin.length | bin.code, bin.length + 32U);
      put(offset >> 32, bin.extra - 32U);
    }
  }
  return static_cast<std::size_t>(to - start) + (size > 0 ? 1 : 0);
}

// ---- reading --------------------------------------------------------------------------------------------

namespace {

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
  std::array<std::size_t, kStreams> position;  ///< in bits
  std::array<std::size_t, kStreams> end;       ///< in bytes
};

struct Tables {
  const std::uint32_t* table;
  std::uint64_t mask;
  const std::uint64_t* lower;
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

/// Reads `rounds` times `kAtOnce` integers of each of four streams. REQUIRES: kAtOnce times the longest code and offset
/// are loaded at once, and no load goes beyond the end.
template <unsigned kAtOnce, class T>
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
    for (unsigned i = 0; i < kAtOnce; ++i, out += kStreams) {
      out[0] = std::bit_cast<T>(take_integer(w0, p0, tables));
      out[1] = std::bit_cast<T>(take_integer(w1, p1, tables));
      out[2] = std::bit_cast<T>(take_integer(w2, p2, tables));
      out[3] = std::bit_cast<T>(take_integer(w3, p3, tables));
    }
  }
  in.position = {p0, p1, p2, p3};
}

template <unsigned kAtOnce, class T>
void read_rounds_anywhere(Streams& in, const Tables& tables, std::size_t rounds, T* out) {
  read_rounds<kAtOnce>(in, tables, rounds, out);
}

#if defined(__x86_64__)
/// Shifts by any number of bits are one instruction here.
template <unsigned kAtOnce, class T>
__attribute__((target("bmi2"))) void read_rounds_bmi2(Streams& in, const Tables& tables, std::size_t rounds, T* out) {
  read_rounds<kAtOnce>(in, tables, rounds, out);
}
#endif

template <unsigned kAtOnce, class T>
void dispatch_rounds(Streams& in, const Tables& tables, std::size_t rounds, T* out) {
#if defined(__x86_64__)
  static const bool has_bmi2 = __builtin_cpu_supports("bmi2") != 0;
  if (has_bmi2) return read_rounds_bmi2<kAtOnce>(in, tables, rounds, out);
#endif
  read_rounds_anywhere<kAtOnce>(in, tables, rounds, out);
}

/// Reads integers of four streams while that can be done without a look at the end; returns how many.
template <unsigned kAtOnce, class T>
std::size_t read_far_from_end(Streams& in, const Tables& tables, unsigned longest, std::span<T> out) {
  constexpr std::size_t kPerRound = kAtOnce * kStreams;
  const std::size_t most_bits = std::size_t{std::max(longest, 1U)} * kAtOnce;  // of one stream in a round
  std::size_t done = 0;
  for (;;) {
    const std::size_t furthest = *std::max_element(in.position.begin(), in.position.end());
    const std::size_t safe = in.size * 8 < furthest + 64 ? 0 : in.size * 8 - 64 - furthest;
    const std::size_t rounds = std::min(safe / most_bits, (out.size() - done) / kPerRound);
    if (rounds == 0) return done;
    dispatch_rounds<kAtOnce>(in, tables, rounds, out.data() + done);
    done += rounds * kPerRound;
  }
}

template <class T>
void read_streams(Streams& in, const Tables& tables, unsigned longest, std::span<T> out) {
  const std::size_t streams = streams_of(out.size());
  std::size_t i = 0;
  if (streams == kStreams) {
    if (2 * longest <= kLoadedBits) {
      i = read_far_from_end<2>(in, tables, longest, out);
    } else if (longest <= kLoadedBits) {
      i = read_far_from_end<1>(in, tables, longest, out);
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
    const unsigned length = take(kLengthBits);
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
    for (std::size_t at = reversed(next[length]++, length); at >> table_bits_ == 0; at += std::size_t{1} << length) {
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
  const std::size_t streams = streams_of(out.size());
  std::array<std::uint64_t, kStreams> size{};
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
  const Tables tables{table_.data(), (std::uint64_t{1} << table_bits_) - 1, lower_.data()};
  read_streams(in, tables, longest_, out);
  for (std::size_t s = 0; s < streams; ++s) {
    if ((in.position[s] + 7) / 8 != in.end[s]) return false;
  }
  return true;
}

}  // namespace pipit
