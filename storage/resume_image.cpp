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
bool is_copied(const fs::path& file) {
  const std::string name = file.filename().string();
  return name == "CURRENT" || name == "IDENTITY" || name.starts_with("MANIFEST-") || name.starts_with("OPTIONS-");
}

Status sync(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool ok = file >= 0 && fsync(file) == 0;
  const std::error_code why(errno, std::generic_category());
  if (file >= 0) ::close(file);
  return ok ? Status() : failed_to("sync", path, why);
}

Status fill_image(const fs::path& folder, const fs::path& image) {
  std::error_code failed;
  fs::create_directory(image, failed);
  if (failed) return failed_to("make the folder", image, failed);
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    const fs::path& from = it->path();
    const fs::path to = image / from.filename();
    std::error_code error;
    if (is_linked(from)) fs::create_hard_link(from, to, error);
    if (is_copied(from)) fs::copy_file(from, to, error);
    if (error) return failed_to("keep", from, error);
    if (is_copied(from)) {
      if (Status status = sync(to); !status.ok()) return status;
    }
  }
  if (failed) return failed_to("read the folder", folder, failed);
  return sync(image);
}

Status replace_with_image(const fs::path& folder) {
  std::error_code failed;
  const fs::path image = folder / kImage;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    std::error_code error;
    if (is_linked(it->path()) || is_copied(it->path())) fs::remove(it->path(), error);
    if (error) return failed_to("remove", it->path(), error);
  }
  for (fs::directory_iterator it(image, failed), end; !failed && it != end; it.increment(failed)) {
    std::error_code error;
    fs::create_hard_link(it->path(), folder / it->path().filename(), error);
    if (error) return failed_to("take back", it->path(), error);
  }
  if (failed) return failed_to("read the folder", folder, failed);
  if (Status status = sync(folder); !status.ok()) return status;
  return drop_resume_image(folder);
}

}  // namespace

Status keep_resume_image(const fs::path& folder) {
  if (fs::exists(folder / kImage)) return {};
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
  fs::rename(folder / kImage, folder / kUnfinished, failed);
  if (failed && failed != std::errc::no_such_file_or_directory) return failed_to("rename", folder / kImage, failed);
  Status status = sync(folder);  // or a power failure could bring it back later
  if (status.ok()) fs::remove_all(folder / kUnfinished, failed);
  return status;
}

Status restore_resume_image(const fs::path& folder) {
  std::error_code failed;
  if (fs::exists(folder / kUnfinished)) fs::remove_all(folder / kUnfinished, failed);
  if (!fs::exists(folder / kImage)) return {};
  rocksdb::Env* const env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  const auto locked = env->LockFile((folder / "LOCK").string(), &lock);
  if (!locked.ok()) {
    return Error{ErrorKind::unavailable,
                 "the data folder " + folder.string() +
                     " is in use by another process, or can't be written: " + locked.ToString()};
  }
  Status status = replace_with_image(folder);
  env->UnlockFile(lock);
  if (status.ok()) log_info("went back to the state before a full disk had space again, as it was not written out");
  return status;
}

}  // namespace pipit
