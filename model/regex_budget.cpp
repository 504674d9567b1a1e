#include "model/regex_budget.h"

#include <algorithm>

namespace pipit {
namespace {

/// A query has seldom more expressions that are no lists of plain values.
constexpr std::size_t kUnboundedPrograms = 8;
/// Shared out as a harmonic series: however many there are, they get seven times that together.
constexpr std::size_t kCacheBytes = 16 << 20;

thread_local RegexBudget* current = nullptr;

}  // namespace

RegexBudget::RegexBudget() : outer_(current) { current = this; }
RegexBudget::~RegexBudget() { current = outer_; }

bool RegexBudget::take(std::size_t instructions) {
  if (current == nullptr) return true;
  const bool enough = instructions <= current->left_;
  current->left_ -= enough ? instructions : current->left_;
  ++current->programs_;
  return enough;
}

std::size_t RegexBudget::cache_bytes(std::size_t most) {
  if (current == nullptr || current->programs_ <= kUnboundedPrograms) return most;
  return std::min(most, kCacheBytes / current->programs_);
}

}  // namespace pipit
