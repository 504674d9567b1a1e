#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace pipit {

/// The pages of a recording, in order: the regular files of a `.tar.zst`, read through the zstd program, or of a
/// folder. At most `most`, from the `skip`th on. Empty when there is nothing to read.
inline std::vector<std::string> read_recording(const std::string& path, std::size_t most, std::size_t skip = 0) {
  std::vector<std::string> pages;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (std::size_t i = skip; i < files.size() && pages.size() < most; ++i) {
      std::ifstream file(files[i], std::ios::binary);
      pages.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return pages;
  }
  if (!std::filesystem::exists(path, ignored) || path.find('\'') != std::string::npos) return pages;
  struct Close {
    void operator()(std::FILE* f) const { pclose(f); }
  };
  const std::unique_ptr<std::FILE, Close> tar(
      popen(("zstd -q -d --long=27 -c '" + path + "' 2>/dev/null").c_str(), "r"));
  char header[512];
  while (tar && pages.size() < most && std::fread(header, sizeof header, 1, tar.get()) == 1) {
    const std::size_t size = std::strtoul(std::string(header + 124, 12).c_str(), nullptr, 8);
    std::string content((size + 511) / 512 * 512, '\0');
    if (size > 0 && std::fread(content.data(), content.size(), 1, tar.get()) != 1) break;
    content.resize(size);
    const bool regular = header[156] == '0' || header[156] == '\0';
    if (!regular || size == 0) continue;
    if (skip > 0) {
      --skip;
    } else {
      pages.push_back(std::move(content));
    }
  }
  return pages;
}

}  // namespace pipit
