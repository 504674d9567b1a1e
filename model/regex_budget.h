#pragma once

#include <cstddef>

namespace pipit {

/// What the regular expressions of one request may compile to. A few bytes (`a{1000}`) stand for a large program, so
/// that a request within its limits could take gigabytes with many of them.
///
/// Counts what the thread compiles while it lives. One within another is a budget of its own.
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
  /// What an expression may remember of texts that it was matched against, beside its program: `most` for the first
  /// few, ever less for the others, down to what makes them slower. A thousand that may fill 5 MB each would take
  /// gigabytes.
  static std::size_t cache_bytes(std::size_t most);
  /// What was compiled so far.
  std::size_t used() const { return kInstructions - left_; }

 private:
  RegexBudget* const outer_;
  std::size_t left_ = kInstructions;
  std::size_t programs_ = 0;
};

}  // namespace pipit
