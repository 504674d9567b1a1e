#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pipit {

// A list of integers in about as many bits as their distribution needs, for chunks that are written once and read
// often. Bins of power-of-two widths cover the range; an integer is its bin's Huffman code and its offset within the
// bin. Noise costs what it must, outliers cost little, and whatever is frequent has a short code. Byte by byte:
// docs/storage.md. Arithmetic is modulo 2^64; a list's smallest integer is the smallest as signed.

/// No list is longer.
inline constexpr std::size_t kMaxPackedIntegers = 8192;
/// Longer codes would need a larger table than fits beside the data into the first-level cache.
inline constexpr unsigned kMaxCodeLength = 10;

/// Reused for list after list. Not thread-safe.
class IntegerPacker {
 public:
  /// Finds how to write a list, and returns how many bits it will take, about. REQUIRES: 1 to kMaxPackedIntegers
  /// integers, which stay as they are until `write`.
  std::size_t plan(std::span<const std::uint64_t> integers);
  /// Appends the list that was planned last.
  void write(std::string& out);

 private:
  struct Bin {
    std::uint64_t lower;  ///< above the list's smallest
    std::uint32_t count;
    std::uint32_t code;  ///< its first bit is the lowest
    std::uint8_t extra;  ///< bits of an offset
    std::uint8_t length;
  };
  static constexpr std::uint32_t kSplit = ~std::uint32_t{0};
  static constexpr std::uint32_t kEmpty = kSplit - 1;

  void sort();
  float divide(std::size_t begin, std::size_t end, std::uint64_t lower, unsigned width);
  void set_code_lengths();
  void set_codes();
  void write_tree(std::string& out) const;
  void find_first_bins();
  std::size_t write_stream(std::size_t first, std::size_t step, std::uint8_t* to);

  std::span<const std::uint64_t> integers_;
  std::uint64_t smallest_ = 0;
  unsigned width_ = 0;
  std::vector<std::uint64_t> sorted_;
  std::vector<std::uint64_t> sort_buffer_;
  std::vector<Bin> bins_;
  std::vector<std::uint32_t> nodes_;  ///< the tree in preorder: kSplit, kEmpty, or a bin
  std::vector<std::uint32_t> order_;
  std::vector<std::uint64_t> weights_;
  std::vector<std::uint32_t> parents_;
  std::vector<std::uint16_t> first_bin_;  ///< by the highest bits of an integer
  std::vector<std::uint8_t> stream_bytes_;
  float log_all_ = 0;
};

/// Without memory of its own outside of the object, which is 15 KB large and fit for the stack.
class IntegerUnpacker {
 public:
  /// Writes exactly as many integers as `out` has room for; false when the bytes are no such list. For doubles these
  /// are the integers of the same bits.
  bool unpack(std::string_view bytes, std::span<std::uint64_t> out);
  bool unpack(std::string_view bytes, std::span<double> out);

 private:
  static constexpr std::size_t kMaxBins = std::size_t{1} << kMaxCodeLength;

  template <class T>
  bool unpack_into(std::string_view bytes, std::span<T> out);
  bool read_tree(std::string_view bytes, std::size_t& at, unsigned width, std::uint64_t smallest);
  bool build_table();

  std::size_t bins_ = 0;
  unsigned table_bits_ = 0;
  unsigned longest_ = 0;  ///< of code and offset together
  std::array<std::uint64_t, kMaxBins> lower_;
  std::array<std::uint8_t, kMaxBins> extra_;
  std::array<std::uint8_t, kMaxBins> length_;
  std::array<std::uint32_t, kMaxBins> table_;
};

}  // namespace pipit
