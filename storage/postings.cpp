#include "storage/postings.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "storage/coding.h"

namespace pipit {

std::string encode_postings(const Postings& postings, char what) {
  std::string bytes(1, what);
  std::uint32_t last = 0;
  for (const std::uint32_t number : postings) {
    put_varint(bytes, number - last);
    last = number;
  }
  return bytes;
}

bool decode_postings(std::string_view bytes, Postings& postings, char* what) {
  postings.clear();
  ByteReader reader(bytes);
  std::uint8_t kind;
  if (!reader.byte(kind) || (kind != kPostingsAdd && kind != kPostingsRemove)) return false;
  if (what != nullptr) *what = static_cast<char>(kind);
  postings.reserve(reader.remaining());
  std::uint64_t last = 0;
  while (!reader.done()) {
    std::uint64_t step;
    if (!reader.varint(step) || step > std::numeric_limits<std::uint32_t>::max()) return false;
    last += step;
    if (last > std::numeric_limits<std::uint32_t>::max()) return false;
    if (step == 0 && !postings.empty()) return false;
    postings.push_back(static_cast<std::uint32_t>(last));
  }
  return true;
}

bool merge_postings(Postings& into, std::string_view operand) {
  Postings numbers;
  char what;
  if (!decode_postings(operand, numbers, &what)) return false;
  if (what == kPostingsAdd) {
    unite(into, numbers);
  } else {
    subtract(into, numbers);
  }
  return true;
}

void unite(Postings& into, const Postings& other) {
  if (other.empty()) return;
  if (into.empty() || into.back() < other.front()) {
    into.insert(into.end(), other.begin(), other.end());
    return;
  }
  Postings result;
  result.reserve(into.size() + other.size());
  std::set_union(into.begin(), into.end(), other.begin(), other.end(), std::back_inserter(result));
  into = std::move(result);
}

void intersect(Postings& into, const Postings& other) {
  auto end = std::set_intersection(into.begin(), into.end(), other.begin(), other.end(), into.begin());
  into.erase(end, into.end());
}

void subtract(Postings& from, const Postings& other) {
  auto end = std::set_difference(from.begin(), from.end(), other.begin(), other.end(), from.begin());
  from.erase(end, from.end());
}

}  // namespace pipit
