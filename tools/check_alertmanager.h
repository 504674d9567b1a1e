#pragma once

#include <string>
#include <vector>

namespace pipit {

extern const char* const kCheckAlertmanagerUsage;

/// `pipit check alertmanager FILE...`: the words after it. Returns the exit code.
int check_alertmanager(const std::vector<std::string>& words);

}  // namespace pipit
