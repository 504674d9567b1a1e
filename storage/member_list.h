#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pipit {

/// The series of one metric that are in RAM: ordinals and the slots where the head has them, eight bytes each.
///
/// New series come last, which costs nothing. Those that come in another order, as a fleet may after a pause, wait in a
/// short list until they are merged in; those that leave are holes until they are half of all. So 200,000 series come
/// or go in any order without moving the rest each time. Not thread-safe.
class MemberList {
 public:
  static constexpr std::uint32_t kNoSlot = 0xffffffff;

  struct Member {
    std::uint32_t ordinal;
    std::uint32_t slot;
  };

  MemberList() = default;
  /// Of these, in any order, each once.
  explicit MemberList(std::vector<Member> members);

  /// kNoSlot when the series isn't there.
  std::uint32_t find(std::uint32_t ordinal) const;
  /// REQUIRES: the series isn't there.
  void insert(std::uint32_t ordinal, std::uint32_t slot);
  /// REQUIRES: the series is there.
  void remove(std::uint32_t ordinal);
  bool empty() const { return sorted_.size() == holes_ && recent_.empty(); }
  /// By ordinal.
  std::vector<Member> all() const;
  /// Those of these series, which ascend, that are there, by ordinal. A few are looked up without a walk over all.
  std::vector<Member> of(std::span<const std::uint32_t> ordinals) const;

 private:
  std::vector<Member> sorted_;  // by ordinal; a hole's slot is kNoSlot
  std::vector<Member> recent_;  // by ordinal
  std::size_t holes_ = 0;
};

}  // namespace pipit
