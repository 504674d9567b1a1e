#include "config/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace pipit {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Error cannot_read(const std::string& path, const char* why) { return bad_data("cannot read " + path + ": " + why); }

Result<std::string> read_all(std::FILE* opened, const std::string& path) {
  if (opened == nullptr) return cannot_read(path, std::strerror(errno));
  const std::unique_ptr<std::FILE, CloseFile> file(opened);
  std::string text;
  char buffer[16384];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, file.get())) {
    text.append(buffer, size);
    // More than parse_yaml takes; no need to read an endless device to its end.
    if (text.size() > (64u << 20)) break;
  }
  if (std::ferror(file.get()) != 0) return cannot_read(path, std::strerror(errno));
  return text;
}

}  // namespace

Result<std::string> read_config_file(const std::string& path) { return read_all(std::fopen(path.c_str(), "rb"), path); }

Result<std::string> read_regular_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);  // a FIFO would wait for its writer
  if (fd < 0) return cannot_read(path, std::strerror(errno));
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return cannot_read(path, "not a regular file");
  }
  return read_all(::fdopen(fd, "rb"), path);
}

}  // namespace pipit
