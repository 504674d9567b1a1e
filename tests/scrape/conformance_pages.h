#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pipit {

/// A page of OpenMetrics's conformance tests.
struct ConformancePage {
  std::string name;
  std::string text;
  bool valid = false;
};

/// By name; none when ../shared/conformance is not there.
inline std::vector<ConformancePage> conformance_pages() {
  const std::filesystem::path folder = PIPIT_SOURCE_DIR "/../shared/conformance/openmetrics";
  std::vector<ConformancePage> pages;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
    std::ifstream about(entry.path() / "test.json");
    const auto test = nlohmann::json::parse(about);
    std::ifstream file(entry.path() / test.at("file").get<std::string>(), std::ios::binary);
    pages.push_back({entry.path().filename().string(), std::string(std::istreambuf_iterator<char>(file), {}),
                     test.at("shouldParse").get<bool>()});
  }
  std::sort(pages.begin(), pages.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return pages;
}

}  // namespace pipit
