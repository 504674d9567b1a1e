#pragma once

namespace pipit {

#if defined(__x86_64__)
template <class Body>
__attribute__((target("avx2"))) auto run_with_avx2(Body body) {
  return body();
}
#endif

/// Calls `body`, a loop over numbers, in the widest vectors that this processor has. The loop is compiled once for each
/// kind of vectors; it must be a lambda with `__attribute__((always_inline))`, or it is compiled but once. Results do
/// not differ: no kind fuses multiplications and additions.
template <class Body>
auto vectorized(Body body) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return run_with_avx2(body);
#endif
  return body();
}

}  // namespace pipit
