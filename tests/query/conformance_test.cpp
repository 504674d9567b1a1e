#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tools/conformance_report.h"
#include "tools/promql_script_runner.h"

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

void expect_no_failures(const ScriptReport& report) {
  for (const auto& outcome : report.outcomes) {
    if (outcome.kind != ScriptOutcome::Kind::failed) continue;
    ADD_FAILURE() << report.file << ":" << outcome.line << ": " << outcome.expr << " " << outcome.variant
                  << "\nexpected: " << outcome.mismatch->expected << "\ngot: " << outcome.mismatch->got;
  }
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Conformance, UpstreamScriptsGiveWhatThePageSays) {
  fs::path folder = PIPIT_SOURCE_DIR "/../shared/conformance/promqltest";
  if (!fs::exists(folder)) {
    std::cout << "not run: " << folder << " is missing\n";
    return;
  }
  std::vector<ScriptReport> reports;
  for (const auto& path : scripts_in(folder)) {
    auto report = run_promql_script_file(path.string());
    ASSERT_TRUE(report.ok()) << report.error().message;
    expect_no_failures(*report);
    reports.push_back(std::move(*report));
  }
  EXPECT_TRUE(conformance_page(reports) == read_file(PIPIT_SOURCE_DIR "/docs/conformance.md"))
      << "docs/conformance.md is out of date; its text says how it is made";
}

TEST(Scripts, OwnScriptsPass) {
  for (const auto& path : scripts_in(PIPIT_SOURCE_DIR "/tests/query/data")) {
    auto report = run_promql_script_file(path.string());
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->count(ScriptOutcome::Kind::skipped), 0U) << path;
    EXPECT_GT(report->outcomes.size(), 0U) << path;
    expect_no_failures(*report);
  }
}

}  // namespace
}  // namespace pipit
