#include "config/config_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace pipit {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Result<std::string> read_config_file(const std::string& path) {
  const auto fail = [&path] { return bad_data("cannot read " + path + ": " + std::strerror(errno)); };
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return fail();
  std::string text;
  char buffer[16384];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, file.get())) {
    text.append(buffer, size);
    // More than parse_yaml takes; no need to read an endless device to its end.
    if (text.size() > (64u << 20)) break;
  }
  if (std::ferror(file.get()) != 0) return fail();
  return text;
}

}  // namespace pipit
