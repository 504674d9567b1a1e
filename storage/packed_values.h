#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/chunk.h"
#include "storage/integer_packer.h"

namespace pipit {

// The value encoding `packed` of a chunk (chunk.h, docs/storage.md): a summary, then integers as packed_integers.h
// has them. It takes several passes to write, so only merged chunks have it.

class PackedValuesEncoder {
 public:
  /// Appends the values and returns true; returns false and leaves `out` as it was when they are not worth it: hardly
  /// any changes, or too many values that are no plain numbers. REQUIRES: at most kMaxPackedIntegers values.
  bool encode(std::span<const double> values, std::string& out);
  /// Of the values that were encoded last.
  std::size_t changes() const { return changes_; }

 private:
  struct Exception {
    std::size_t first;
    std::size_t length;
    std::uint64_t bits;
  };

  bool take_integers(std::span<const double> values, int scale);
  void take_unit(bool decimal);
  void put_summary(int scale, std::string& out) const;
  void put_exceptions(std::string& out) const;
  std::uint8_t put_lists(std::string& out);
  void put_changes(std::string& out);
  void take_residuals(unsigned order);

  /// Of each value; where it is an exception, the one before's. After take_unit, the units above the first.
  std::vector<std::uint64_t> integers_;
  std::vector<Exception> exceptions_;
  std::uint64_t first_ = 0;
  std::uint64_t unit_ = 1;
  std::size_t changes_ = 0;
  std::vector<std::uint64_t> residuals_;
  std::vector<std::uint64_t> gaps_;
  IntegerPacker packer_;
  std::vector<std::uint64_t> best_residuals_;
  IntegerPacker best_packer_;
};

/// Whether doubles add up to the same sum in any order: all values are integers, and none of the sums is too large.
bool exact_sum(const ChunkSummary& summary);

/// Writes exactly `count` values; false when the bytes are damaged.
bool decode_packed_values(std::string_view body, std::uint32_t count, double* out);

/// The last of the values. False when the bytes are damaged.
bool read_packed_newest(std::string_view body, std::uint32_t count, double& value);

/// False when the bytes are damaged; `summary` is empty when there is none.
bool read_packed_summary(std::string_view body, std::uint32_t count, std::optional<ChunkSummary>& summary);

}  // namespace pipit
