#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace pipit {

/// The pieces of an array into which the edges of all windows divide it. A fold that takes each sample into its pane
/// once and then puts panes together costs less than one over samples where windows move by many samples at a time.
struct Panes {
  std::vector<std::uint32_t> edges;  ///< pane k is [edges[k], edges[k + 1])
  std::vector<std::uint32_t> lo;     ///< window i is panes [lo[i], hi[i])
  std::vector<std::uint32_t> hi;

  std::size_t size() const { return edges.empty() ? 0 : edges.size() - 1; }

  /// REQUIRES: lo and hi of samples never decrease.
  Panes(std::span<const std::uint32_t> sample_lo, std::span<const std::uint32_t> sample_hi)
      : lo(sample_lo.size()), hi(sample_lo.size()) {
    edges.resize(2 * sample_lo.size());
    std::merge(sample_lo.begin(), sample_lo.end(), sample_hi.begin(), sample_hi.end(), edges.begin());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    std::uint32_t first = 0;
    std::uint32_t past = 0;
    for (std::size_t i = 0; i < lo.size(); ++i) {
      while (edges[first] < sample_lo[i]) ++first;
      while (edges[past] < sample_hi[i]) ++past;
      lo[i] = first;
      hi[i] = past;
    }
  }
};

/// Windows of so many samples or fewer on average are folded one by one, in order: that costs no more than sliding, and
/// gives the same bits as an evaluation that knows no sliding.
inline constexpr std::uint64_t kDirectWindow = 32;

/// Samples that all windows cover together.
inline std::uint64_t covered_samples(std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi) {
  std::uint64_t covered = 0;
  for (std::size_t i = 0; i < lo.size(); ++i) covered += hi[i] - lo[i];
  return covered;
}

/// Folds every window of a list of elements in O(elements + windows) without an inverse operation: elements that
/// entered since the last rebuild are in a running back state, the older ones in suffix states, which a rebuild makes
/// from right to left ("two stacks").
template <class State, class Add, class Emit>
void fold_by_two_stacks(std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi, Add add, Emit emit) {
  std::vector<State> suffix;    // suffix[k] folds [front_end - 1 - k, front_end)
  std::uint32_t front_end = 0;  // elements before it are in `suffix`, later ones in `back`
  std::uint32_t back_end = 0;
  State back;
  for (std::size_t i = 0; i < lo.size(); ++i) {
    if (lo[i] >= hi[i]) continue;
    if (lo[i] >= front_end) {
      front_end = back_end = hi[i];
      suffix.clear();
      State state;
      for (std::uint32_t e = front_end; e > lo[i]; --e) {
        add(state, e - 1);
        suffix.push_back(state);
      }
      back = State();
    }
    for (; back_end < hi[i]; ++back_end) add(back, back_end);
    State state = suffix[front_end - 1 - lo[i]];
    state.merge(back);
    emit(i, state);
  }
}

/// Folds every window of an array in O(samples + windows). `State` needs `merge(const State&)` and a default state that
/// is neutral; `add(state, index)` takes a sample in.
template <class State, class Add, class Emit>
void sliding_fold(std::size_t samples, std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi, Add add,
                  Emit emit) {
  const std::uint64_t covered = covered_samples(lo, hi);
  if (covered <= kDirectWindow * lo.size() || covered <= samples + samples / 2) {
    for (std::size_t i = 0; i < lo.size(); ++i) {
      if (lo[i] >= hi[i]) continue;
      State state;
      for (std::uint32_t s = lo[i]; s < hi[i]; ++s) add(state, s);
      emit(i, state);
    }
    return;
  }
  if (samples < 8 * lo.size()) return fold_by_two_stacks<State>(lo, hi, add, emit);
  const Panes panes(lo, hi);
  std::vector<State> states(panes.size());
  for (std::size_t p = 0; p < panes.size(); ++p) {
    for (std::uint32_t s = panes.edges[p]; s < panes.edges[p + 1]; ++s) add(states[p], s);
  }
  fold_by_two_stacks<State>(
      panes.lo, panes.hi, [&](State& state, std::uint32_t p) { state.merge(states[p]); }, emit);
}

}  // namespace pipit
