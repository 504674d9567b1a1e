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

#if defined(__x86_64__)
template <class Body>
__attribute__((target("avx2,fma"))) auto run_with_fma(Body body) {
  return body();
}
#endif

/// The same for a body that calls std::fma, and `other` where this processor has no instruction for that. Compilers may
/// fuse what else the body multiplies and adds.
template <class Body, class Other>
auto vectorized_with_fma([[maybe_unused]] Body body, Other other) {
#if defined(__x86_64__)
  static const bool has_fma = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  if (has_fma) return run_with_fma(body);
#endif
  return other();
}

}  // namespace pipit
