#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/coding.h"

namespace pipit {

/// A posting list: ascending numbers without duplicates, ordinals of series or ids of metrics.
using Postings = std::vector<std::uint32_t>;

// A stored list is a byte that says what it does when merged into an older one, a varint of the first number and
// varints of the steps to the next ones. A step of 0 begins a run: a varint says how many numbers follow that are one
// more than the number before.
inline constexpr char kPostingsAdd = 1;
inline constexpr char kPostingsRemove = 2;

/// Consecutive numbers, both ends included.
struct PostingRun {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool operator==(const PostingRun&) const = default;
};
/// A posting list as runs that ascend and don't touch: of a metric's series that came together, a few.
using PostingRuns = std::vector<PostingRun>;

/// Calls `visit(first, last)` for runs, which ascend but may touch. False when the bytes are damaged.
template <class Visit>
bool visit_runs(std::string_view bytes, Visit visit) {
  ByteReader reader(bytes);
  std::uint8_t kind;
  if (!reader.byte(kind) || (kind != kPostingsAdd && kind != kPostingsRemove)) return false;
  constexpr std::uint64_t kMax = 0xffffffff;
  std::uint64_t last = 0;
  for (bool first = true; !reader.done(); first = false) {
    std::uint64_t step;
    if (!reader.varint(step) || step > kMax) return false;
    std::uint64_t begin = last + step;
    last = begin;
    if (step == 0 && !first) {
      std::uint64_t count;
      if (!reader.varint(count) || count == 0 || count > kMax) return false;
      begin = last + 1;
      last += count;
    }
    if (last > kMax) return false;
    visit(static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(last));
  }
  return true;
}

std::string encode_postings(const PostingRuns& runs, char what = kPostingsAdd);
/// REQUIRES: ascending, no duplicates.
std::string encode_postings(const Postings& postings, char what = kPostingsAdd);
/// False when the bytes are damaged, or a number is not below `end`: a run of a few bytes stands for any number of
/// series, so whoever decodes says how many there can be.
bool decode_postings(std::string_view bytes, std::uint64_t end, Postings& postings);

/// Merges a stored list that adds or removes into a list. False when the bytes are damaged.
bool merge_postings(PostingRuns& into, std::string_view operand);
/// Adds a stored list's numbers to `into`. False when the bytes are damaged.
bool unite_stored(PostingRuns& into, std::string_view bytes);
/// Adds those of them that lie in the range, both ends included.
bool unite_stored(PostingRuns& into, std::string_view bytes, const PostingRun& range);
void unite(PostingRuns& into, const PostingRuns& other);
void subtract(PostingRuns& from, const PostingRuns& other);
/// Adds a number that is not less than all others.
void add_number(PostingRuns& runs, std::uint32_t number);
bool contains(const PostingRuns& runs, std::uint32_t number);
/// How many numbers these are.
std::uint64_t count_of(const PostingRuns& runs);
/// How many numbers of `runs` are in `others` too.
std::uint64_t count_common(const PostingRuns& runs, const PostingRuns& others);
PostingRuns runs_of(const Postings& postings);
Postings numbers_of(const PostingRuns& runs);

void unite(Postings& into, const Postings& other);
void intersect(Postings& into, const Postings& other);
void intersect(Postings& into, const PostingRuns& other);
void subtract(Postings& from, const Postings& other);

}  // namespace pipit
