#pragma once

#include <atomic>
#include <string>
#include <vector>

namespace pipit {

extern const char* const kTestRulesUsage;

/// `pipit test rules`, with what follows these words. Returns the exit code.
int test_rules(const std::vector<std::string>& words, const std::atomic<bool>& interrupted);

}  // namespace pipit
