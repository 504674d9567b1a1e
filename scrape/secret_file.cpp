#include "scrape/secret_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "config/config_file.h"

namespace pipit {
namespace {

constexpr std::int64_t kLargestSecret = 1 << 20;

}  // namespace

std::optional<FileVersion> file_version(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileVersion{info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_size, info.st_ino,
                     info.st_dev};
}

bool Secret::changed() const { return !source_.file.empty() && (!version_ || file_version(source_.file) != version_); }

Result<const std::string*> Secret::read() {
  if (source_.file.empty()) return &source_.text;
  const auto fail = [this](const std::string& why) {
    return Error{ErrorKind::unavailable, "unable to read file " + source_.file + ": " + why};
  };
  const auto now = file_version(source_.file);
  if (!now) return fail(std::strerror(errno));
  if (now == version_) return &text_;
  if (now->size > kLargestSecret) return fail("it has more than a mebibyte");
  auto text = read_regular_file(source_.file);
  if (!text.ok()) return Error{ErrorKind::unavailable, text.error().message};
  const auto begin = text->find_first_not_of(" \t\r\n\v\f");
  const auto end = text->find_last_not_of(" \t\r\n\v\f");
  text_ = begin == std::string::npos ? std::string() : text->substr(begin, end - begin + 1);
  version_ = now;
  return &text_;
}

}  // namespace pipit
