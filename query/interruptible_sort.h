#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace pipit {

/// A stable sort that looks from time to time whether it may go on: `go_on()` says so. False when it may not; the order
/// is then any.
template <class Iterator, class Less, class GoOn>
bool sort_interruptibly(Iterator begin, Iterator end, Less less, GoOn go_on) {
  using Distance = typename std::iterator_traits<Iterator>::difference_type;
  // Sorted in milliseconds, by however slow a comparison.
  constexpr Distance kRun = 8192;
  const Distance size = end - begin;
  const auto at = [&](Distance place) { return begin + std::min(place, size); };
  for (Distance run = 0; run < size; run += kRun) {
    if (!go_on()) return false;
    std::stable_sort(at(run), at(run + kRun), less);
  }
  for (Distance width = kRun; width < size; width *= 2) {
    for (Distance run = 0; run + width < size; run += 2 * width) {
      if (!go_on()) return false;
      std::inplace_merge(at(run), at(run + width), at(run + 2 * width), less);
    }
  }
  return true;
}

}  // namespace pipit
