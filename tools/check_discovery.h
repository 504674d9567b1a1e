#pragma once

#include <string>
#include <vector>

namespace pipit {

extern const char* const kCheckDiscoveryUsage;

/// `pipit check discovery FILE JOB`: what would be scraped. `words` follow "discovery". Returns the exit code.
int check_discovery(const std::vector<std::string>& words);

}  // namespace pipit
