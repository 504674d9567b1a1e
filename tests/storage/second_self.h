#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace pipit {

/// Starts this test program anew for one of its disabled tests, with more settings ("NAME=value") in the environment,
/// to be killed. A fork alone would have no threads but the caller's, and be beyond the sanitizers. -1 when it can't.
inline pid_t start_second_self(const std::string& disabled_test, const std::vector<std::string>& settings) {
  const std::string filter = "--gtest_filter=" + disabled_test;
  const std::vector<const char*> arguments = {"storage_test", "--gtest_also_run_disabled_tests", filter.c_str(),
                                              "--gtest_brief=1", nullptr};
  std::vector<const char*> environment;  // made before the fork, after which little is allowed
  for (char** setting = environ; *setting != nullptr; ++setting) environment.push_back(*setting);
  for (const std::string& setting : settings) environment.push_back(setting.c_str());
  environment.push_back(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  execve("/proc/self/exe", const_cast<char* const*>(arguments.data()), const_cast<char* const*>(environment.data()));
  _exit(9);
}

}  // namespace pipit
