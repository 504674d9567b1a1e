#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "config/config.h"

namespace pipit {
namespace {

const std::string kConformance = PIPIT_SOURCE_DIR "/../shared/conformance/config/";
const std::string kPage = PIPIT_SOURCE_DIR "/docs/conformance-config.md";

/// What has not the word in its name loads in Prometheus, but for the one with the Alertmanager API that is gone.
bool must_be_refused(const std::string& file) {
  return file.find(".bad.") != std::string::npos || file.find(".incompatible.") != std::string::npos ||
         file == "config_with_deprecated_am_api_config.yml";
}

/// "" when it loads.
std::string refusal_of(const std::string& file) {
  const auto config = load_config(kConformance + file);
  if (config.ok()) return {};
  std::string message = config.error().message;
  for (std::size_t at = 0; (at = message.find(kConformance)) != std::string::npos;) {
    message.erase(at, kConformance.size());
  }
  return message;
}

/// Whether every line of a refusal is about discovery that is not built.
bool is_for_what_is_not_built(const std::string& refusal) {
  std::istringstream lines(refusal);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("_sd_configs is not supported yet") == std::string::npos) return false;
  }
  return true;
}

/// The kinds of discovery that a refusal names, without their places.
std::string kinds_in(const std::string& refusal) {
  std::string out;
  std::istringstream lines(refusal);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find(" is not supported yet");
    const std::string kind = line.substr(line.rfind(' ', end - 1) + 1, end - line.rfind(' ', end - 1) - 1);
    out += (out.empty() ? "" : ", ") + kind;
  }
  return out;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Conformance, EveryUpstreamFileDoesAsThePageSays) {
  if (!std::filesystem::exists(kConformance)) {
    std::printf("SKIPPED: %s is missing, the configurations of Prometheus's tests are not tried\n",
                kConformance.c_str());
    return;
  }
  std::map<std::string, std::string> refusals;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kConformance)) {
    if (entry.path().extension() != ".yml") continue;
    const std::string file = entry.path().lexically_relative(kConformance).string();
    refusals[file] = refusal_of(file);
  }
  std::string loads, refused, unbuilt, wrong;
  int right = 0, not_built = 0, mistakes = 0;
  for (const auto& [file, refusal] : refusals) {
    if (must_be_refused(file) && !refusal.empty() && !is_for_what_is_not_built(refusal)) {
      refused += "- `" + refusal + "`\n";
      ++right;
    } else if (!must_be_refused(file) && refusal.empty()) {
      loads += "- " + file + "\n";
      ++right;
    } else if (!must_be_refused(file) && is_for_what_is_not_built(refusal)) {
      unbuilt += "- " + file + ": " + kinds_in(refusal) + "\n";
      ++not_built;
    } else {
      wrong += "- " + file + ": " + (refusal.empty() ? "loads" : refusal) + "\n";
      ++mistakes;
    }
  }
  const std::string page =
      "# Conformance of the configuration\n\n"
      "What Pipit says to the configurations of Prometheus 3.14's own tests. A test holds this page against what the "
      "program\n"
      "does, and writes it:\n\n"
      "    PIPIT_WRITE_CONFORMANCE=1 build/config_test --gtest_filter='Conformance.*'\n\n"
      "Of " +
      std::to_string(refusals.size()) + " files **" + std::to_string(right) +
      " are right**: they load, or are refused for their own fault. " + std::to_string(not_built) +
      " are refused\nfor discovery that is not built, and for that alone. " + std::to_string(mistakes) +
      " are wrong.\n\n## Refused for what is not built\n\n" + unbuilt + "\n## Wrong\n\n" +
      (wrong.empty() ? "None.\n" : wrong) + "\n## Right: refused, with the message\n\n" + refused +
      "\n## Right: loads\n\n" + loads;
  if (std::getenv("PIPIT_WRITE_CONFORMANCE") != nullptr) std::ofstream(kPage) << page;
  EXPECT_EQ(wrong, "");
  EXPECT_TRUE(page == read_file(kPage)) << "docs/conformance-config.md is out of date; its text says how it is made";
}

}  // namespace
}  // namespace pipit
