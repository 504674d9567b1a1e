#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pipit {

/// Folds every window of an array in O(samples + windows) without an inverse operation: samples that entered since
/// the last rebuild are in a running back state, the older ones in suffix states, which a rebuild makes from right to
/// left ("two stacks"). `State` needs `add(index)` and `merge(const State&)`, and a default state that is neutral.
///
/// Windows of kDirectWindow samples or fewer on average are folded one by one, in order: that costs no more, and
/// gives the same bits as an evaluation that knows no sliding.
template <class State, class Add, class Emit>
void sliding_fold(std::size_t samples, std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi, Add add,
                  Emit emit) {
  constexpr std::uint64_t kDirectWindow = 32;
  std::uint64_t covered = 0;
  for (std::size_t i = 0; i < lo.size(); ++i) covered += hi[i] - lo[i];
  if (covered <= kDirectWindow * lo.size() || covered <= samples + samples / 2) {
    for (std::size_t i = 0; i < lo.size(); ++i) {
      if (lo[i] >= hi[i]) continue;
      State state;
      for (std::uint32_t s = lo[i]; s < hi[i]; ++s) add(state, s);
      emit(i, state);
    }
    return;
  }
  std::vector<State> suffix;    // suffix[k] folds [front_end - 1 - k, front_end)
  std::uint32_t front_end = 0;  // samples before it are in `suffix`, later ones in `back`
  std::uint32_t back_end = 0;
  State back;
  for (std::size_t i = 0; i < lo.size(); ++i) {
    if (lo[i] >= hi[i]) continue;
    if (lo[i] >= front_end) {
      front_end = back_end = hi[i];
      suffix.clear();
      State state;
      for (std::uint32_t s = front_end; s > lo[i]; --s) {
        add(state, s - 1);
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

}  // namespace pipit
