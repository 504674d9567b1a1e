#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace pipit {

/// A folder for a benchmark's store, gone with this object.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "pipit-bench-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  /// Of all files below it.
  double bytes() const {
    double sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (entry.is_regular_file()) sum += static_cast<double>(entry.file_size());
    }
    return sum;
  }

 private:
  std::filesystem::path path_;
};

/// What the kernel says of this process: `VmRSS:`, `VmHWM:` and the like, in KB. 0 when there is no such field.
inline double status_kb(std::string_view field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(field)) return strtod(line.c_str() + field.size() + 1, nullptr);
  }
  return 0;
}

}  // namespace pipit
