#pragma once

#include <cstddef>

namespace pipit {

/// What the regular expressions of one request may compile to. A few bytes (`a{1000}`) stand for a large program, so
/// that a request within its limits could take gigabytes with many of them.
///
/// Counts what the thread compiles while it lives; one at a time in a thread.
class RegexBudget {
 public:
  /// Sixteen bytes each; the largest expression that is allowed at all has a tenth.
  static constexpr std::size_t kInstructions = 2'000'000;

  RegexBudget();
  ~RegexBudget();
  RegexBudget(const RegexBudget&) = delete;
  RegexBudget& operator=(const RegexBudget&) = delete;

  /// Takes what a program has from the thread's budget. False when that has less; true without a budget.
  static bool take(std::size_t instructions);
  /// What was compiled so far.
  std::size_t used() const { return kInstructions - left_; }

 private:
  std::size_t left_ = kInstructions;
};

}  // namespace pipit
