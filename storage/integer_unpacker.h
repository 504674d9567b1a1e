#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "storage/packed_integers.h"

namespace pipit {

/// Reads a list of packed integers. Without memory of its own outside of the object, which is 15 KB large and fit for
/// the stack.
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
