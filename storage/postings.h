#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pipit {

/// A posting list: ascending numbers without duplicates, ordinals of series or ids of metrics.
using Postings = std::vector<std::uint32_t>;

// A stored list is a byte that says what it does when merged into an older one, a varint of the first number and
// varints of the steps to the next ones.
inline constexpr char kPostingsAdd = 1;
inline constexpr char kPostingsRemove = 2;

/// REQUIRES: ascending, no duplicates.
std::string encode_postings(const Postings& postings, char what = kPostingsAdd);
/// False when the bytes are damaged.
bool decode_postings(std::string_view bytes, Postings& postings, char* what = nullptr);

/// Merges a stored list that adds or removes into a list. False when the bytes are damaged.
bool merge_postings(Postings& into, std::string_view operand);

void unite(Postings& into, const Postings& other);
void intersect(Postings& into, const Postings& other);
void subtract(Postings& from, const Postings& other);

}  // namespace pipit
