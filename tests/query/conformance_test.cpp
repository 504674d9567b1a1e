#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "tests/query/script_runner.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> scripts_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".test") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// `<script> <evaluations that must pass>` a line.
std::map<std::string, int> expected_passes() {
  std::ifstream in(PIPIT_SOURCE_DIR "/tests/query/data/conformance_expected.txt");
  std::map<std::string, int> passes;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string name;
    int count = 0;
    if (!line.starts_with('#') && fields >> name >> count) passes[name] = count;
  }
  return passes;
}

TEST(Conformance, UpstreamScriptsPassAsOftenAsEver) {
  fs::path folder = PIPIT_SOURCE_DIR "/../shared/conformance/promqltest";
  if (!fs::exists(folder)) {
    std::cout << "not run: " << folder << " is missing\n";
    return;
  }
  auto expected = expected_passes();
  int passed = 0;
  int failed = 0;
  int skipped = 0;
  for (const auto& path : scripts_in(folder)) {
    auto report = run_script_file(path.string());
    auto name = path.filename().string();
    for (const auto& failure : report.failures) std::cout << failure << "\n";
    std::cout << name << " passed " << report.passed << " failed " << report.failed << " skipped " << report.skipped
              << "\n";
    EXPECT_GE(report.passed, expected[name]) << name;
    passed += report.passed;
    failed += report.failed;
    skipped += report.skipped;
  }
  std::cout << "all scripts: passed " << passed << " failed " << failed << " skipped " << skipped << "\n";
}

TEST(Scripts, OwnScriptsPass) {
  for (const auto& path : scripts_in(PIPIT_SOURCE_DIR "/tests/query/data")) {
    auto report = run_script_file(path.string());
    EXPECT_GT(report.passed, 0) << path;
    EXPECT_EQ(report.failed + report.skipped, 0) << path;
    for (const auto& failure : report.failures) ADD_FAILURE() << failure;
  }
}

}  // namespace
}  // namespace pipit
