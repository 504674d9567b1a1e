#include "model/regex_budget.h"

namespace pipit {
namespace {

thread_local RegexBudget* current = nullptr;

}  // namespace

RegexBudget::RegexBudget() { current = this; }
RegexBudget::~RegexBudget() { current = nullptr; }

bool RegexBudget::take(std::size_t instructions) {
  if (current == nullptr) return true;
  const bool enough = instructions <= current->left_;
  current->left_ -= enough ? instructions : current->left_;
  return enough;
}

}  // namespace pipit
