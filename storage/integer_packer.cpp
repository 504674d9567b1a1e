#include "storage/integer_packer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "storage/coding.h"

namespace pipit {
namespace {

/// Fewer integers in a bin never pay for a division of it: an empty half costs five bits and the division one.
constexpr std::size_t kMinDivisible = 6;
constexpr float kDivisionBits = 1;
constexpr float kBinBits = 1 + kCodeLengthBits;

/// An integer's bin is looked for from the first one that its highest bits leave possible.
constexpr unsigned kFirstBinBits = 10;
constexpr std::size_t kFirstBins = std::size_t{1} << kFirstBinBits;

float log2_of(std::size_t count) {
  static const auto logs = [] {
    std::array<float, 1024> table{};
    for (std::size_t i = 1; i < table.size(); ++i) table[i] = std::log2(static_cast<float>(i));
    return table;
  }();
  return count < logs.size() ? logs[count] : std::log2(static_cast<float>(count));
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
  for (Bin& bin : bins_) bin.code = reversed_code(next[bin.length]++, bin.length);
}

void IntegerPacker::write_tree(std::string& out) const {
  BitWriter bits(out);
  for (const std::uint32_t node : nodes_) {
    if (node == kSplit) {
      bits.put(1, 1);
    } else {
      bits.put(node == kEmpty ? 0 : bins_[node].length << 1, 1 + kCodeLengthBits);
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
  const std::size_t streams = packed_streams_of(integers_.size());
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

}  // namespace pipit
