#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "config/config.h"

namespace pipit {
namespace {

const std::string kConformance = PIPIT_SOURCE_DIR "/../shared/conformance/config/";

/// As the pinned table writes it: `loads<TAB>n jobs, n targets, n warnings` or `refused<TAB>message`.
std::string outcome(const std::string& file) {
  const auto config = load_config(kConformance + file);
  if (!config.ok()) {
    std::string message = config.error().message;
    for (std::size_t at = 0; (at = message.find(kConformance)) != std::string::npos;) {
      message.erase(at, kConformance.size());
    }
    return "refused\t" + message;
  }
  std::size_t targets = 0;
  for (const ScrapeConfig& job : config->scrape_configs) {
    for (const TargetGroup& group : job.static_configs) targets += group.targets.size();
  }
  return "loads\t" + std::to_string(config->scrape_configs.size()) + " jobs, " + std::to_string(targets) +
         " targets, " + std::to_string(config->warnings.size()) + " warnings";
}

std::map<std::string, std::string> pinned_outcomes() {
  std::map<std::string, std::string> outcomes;
  std::ifstream table(PIPIT_SOURCE_DIR "/tests/config/data/conformance.tsv");
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t tab = line.find('\t');
    outcomes[line.substr(0, tab)] = line.substr(tab + 1);
  }
  return outcomes;
}

bool must_be_refused(const std::string& file) {
  return file.find(".bad.") != std::string::npos || file.find(".incompatible.") != std::string::npos ||
         file == "config_with_deprecated_am_api_config.yml";
}

TEST(Conformance, EveryUpstreamFileLoadsOrIsRefusedAsPinned) {
  if (!std::filesystem::exists(kConformance)) {
    std::printf("SKIPPED: %s is missing, the configurations of Prometheus's tests are not tried\n",
                kConformance.c_str());
    return;
  }
  const auto pinned = pinned_outcomes();
  int right = 0, wrong = 0;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kConformance)) {
    if (entry.path().extension() != ".yml") continue;
    ++files;
    const std::string file = entry.path().lexically_relative(kConformance).string();
    const std::string actual = outcome(file);
    ++(actual.starts_with("refused") == must_be_refused(file) ? right : wrong);
    const auto expected = pinned.find(file);
    ASSERT_NE(expected, pinned.end()) << file << " is not in the table: " << actual;
    EXPECT_EQ(expected->second, actual) << file;
  }
  EXPECT_EQ(files, pinned.size());
  std::printf("%d files right, %d wrong\n", right, wrong);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace pipit
