#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/packed_integers.h"

namespace pipit {

/// Writes lists of packed integers. Reused for list after list. Not thread-safe.
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

}  // namespace pipit
