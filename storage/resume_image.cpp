#include "storage/resume_image.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

#include "telemetry/log.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kImage = "before-resume";
/// An image that is being made, or removed.
constexpr std::string_view kUnfinished = "before-resume.unfinished";

Status failed_to(std::string_view what, const fs::path& path, const std::error_code& why) {
  return Error{ErrorKind::unavailable, "can't " + std::string(what) + " " + path.string() + ": " + why.message()};
}

/// Whether RocksDB writes it once, or not again before it has a newer one of the kind. Its lock is no part of an image.
bool is_linked(const fs::path& file) { return file.extension() == ".sst" || file.extension() == ".log"; }
bool is_current(const fs::path& file) { return file.filename() == "CURRENT"; }
bool is_copied(const fs::path& file) {
  const std::string name = file.filename().string();
  return name == "IDENTITY" || name.starts_with("MANIFEST-") || name.starts_with("OPTIONS-");
}

Result<bool> is_there(const fs::path& path) {
  std::error_code failed;
  const bool there = fs::exists(path, failed);
  if (failed) return failed_to("look for", path, failed).error();
  return there;
}

Status sync(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool ok = file >= 0 && fsync(file) == 0;
  const std::error_code why(errno, std::generic_category());
  if (file >= 0) ::close(file);
  return ok ? Status() : failed_to("sync", path, why);
}

/// Links a file, or copies it where that must be or the file system has no links. Logs may not be on the disk yet.
Status keep_file(const fs::path& from, const fs::path& to, bool link) {
  std::error_code failed;
  if (link) fs::create_hard_link(from, to, failed);
  const bool linked = link && !failed;
  if (!linked) fs::copy_file(from, to, failed);
  if (failed) return failed_to("keep", from, failed);
  return linked && from.extension() == ".sst" ? Status() : sync(to);
}

/// What RocksDB is doing in the background may come to its end meanwhile. So CURRENT is read before the manifest that
/// it names, and the manifest before the files that it names, which are not removed.
Status fill_image(const fs::path& folder, const fs::path& image) {
  std::error_code failed;
  fs::create_directory(image, failed);
  if (failed) return failed_to("make the folder", image, failed);
  for (const auto kind : {is_current, is_copied, is_linked}) {
    for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
      const fs::path& from = it->path();
      if (!kind(from)) continue;
      if (Status status = keep_file(from, image / from.filename(), kind == is_linked); !status.ok()) return status;
    }
    if (failed) return failed_to("read the folder", folder, failed);
  }
  return sync(image);
}

Status replace_with_image(const fs::path& folder) {
  std::error_code failed;
  const fs::path image = folder / kImage;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    const fs::path& file = it->path();
    std::error_code error;
    if (is_current(file) || is_copied(file) || is_linked(file)) fs::remove(file, error);
    if (error) return failed_to("remove", file, error);
  }
  for (fs::directory_iterator it(image, failed), end; !failed && it != end; it.increment(failed)) {
    const fs::path& file = it->path();
    if (Status status = keep_file(file, folder / file.filename(), true); !status.ok()) return status;
  }
  if (failed) return failed_to("read the folder", folder, failed);
  if (Status status = sync(folder); !status.ok()) return status;
  return drop_resume_image(folder);
}

/// REQUIRES: nobody else has the folder open.
Status settle_image(const fs::path& folder) {
  const auto left = is_there(folder / kImage);
  if (!left.ok()) return left.error();
  std::error_code ignored;
  fs::remove_all(folder / kUnfinished, ignored);
  if (!*left) return {};
  Status status = replace_with_image(folder);
  if (status.ok()) log_info("went back to the state before a full disk had space again, as it was not written out");
  return status;
}

}  // namespace

Status keep_resume_image(const fs::path& folder) {
  const auto kept = is_there(folder / kImage);
  if (!kept.ok()) return kept.error();
  if (*kept) return {};
  const fs::path unfinished = folder / kUnfinished;
  std::error_code failed;
  fs::remove_all(unfinished, failed);
  Status status = fill_image(folder, unfinished);
  if (status.ok()) {
    fs::rename(unfinished, folder / kImage, failed);
    status = failed ? failed_to("rename", unfinished, failed) : sync(folder);
  }
  if (!status.ok()) fs::remove_all(unfinished, failed);
  return status;
}

Status drop_resume_image(const fs::path& folder) {
  std::error_code failed;
  fs::remove_all(folder / kUnfinished, failed);  // of a removal that a kill cut short
  fs::rename(folder / kImage, folder / kUnfinished, failed);
  if (failed && failed != std::errc::no_such_file_or_directory) return failed_to("rename", folder / kImage, failed);
  Status status = sync(folder);  // or a power failure could bring it back later
  if (status.ok()) fs::remove_all(folder / kUnfinished, failed);
  return status;
}

Status restore_resume_image(const fs::path& folder) {
  bool left = false;
  for (const std::string_view name : {kImage, kUnfinished}) {
    const auto found = is_there(folder / name);
    if (!found.ok()) return found.error();
    left = left || *found;
  }
  if (!left) return {};
  // The process that made it may be at work on it.
  rocksdb::Env* const env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  const auto locked = env->LockFile((folder / "LOCK").string(), &lock);
  if (!locked.ok()) {
    return Error{ErrorKind::unavailable,
                 "the data folder " + folder.string() +
                     " is in use by another process, or can't be written: " + locked.ToString()};
  }
  Status status = settle_image(folder);
  env->UnlockFile(lock);
  return status;
}

}  // namespace pipit
