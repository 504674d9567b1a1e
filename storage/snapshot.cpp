// Snapshots: a copy of the store, consistent and made while it is written to, that a store opens as its own.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <random>

#include "model/duration.h"
#include "storage/store_core.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;

/// Under this name a snapshot is made, and renamed when it is whole.
constexpr std::string_view kUnfinished = ".unfinished-";
constexpr std::size_t kCacheBytes = 1 << 20;

/// As Prometheus names them: 20171210T211224Z and sixteen hexadecimal digits.
std::string snapshot_name() {
  const std::time_t now = now_ms() / 1000;
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::random_device random;
  const std::uint64_t number = std::uint64_t{random()} << 32 | random();
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "%04d%02d%02dT%02d%02d%02dZ-%016llx", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<unsigned long long>(number));
  return name.data();
}

Error failed_to(std::string_view doing, const fs::path& path, const std::error_code& why) {
  return {ErrorKind::unavailable, "can't " + std::string(doing) + " " + path.string() + ": " + why.message()};
}

/// A rename is on the disk when the folder is.
Status sync_folder(const fs::path& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool ok = folder >= 0 && fsync(folder) == 0;
  const std::error_code why(errno, std::generic_category());
  if (folder >= 0) ::close(folder);
  if (!ok) return failed_to("sync the folder", path, why);
  return {};
}

}  // namespace

fs::path StoreCore::snapshot_folder() const { return options_.path.parent_path() / "snapshots"; }

Result<std::string> StoreCore::snapshot(bool skip_head) {
  std::lock_guard checkpoint_lock(checkpoint_mutex_);  // no chunk is between RAM and disk
  if (Status status = can_read(); !status.ok()) return status.error();
  if (log_incomplete_) {
    if (Status status = checkpoint_now(); !status.ok()) return status.error();
  }
  const std::string name = snapshot_name();
  const fs::path unfinished = snapshot_folder() / (std::string(kUnfinished) + name);
  const fs::path store = unfinished / options_.path.filename();
  std::error_code failed;
  fs::create_directories(unfinished, failed);
  if (failed) return failed_to("make the folder", unfinished, failed);
  Status status = database_->snapshot(store);
  if (status.ok() && skip_head) status = Database::drop_log({store, kCacheBytes, {}});
  if (status.ok()) {
    fs::rename(unfinished, snapshot_folder() / name, failed);
    if (failed) status = failed_to("rename the folder", unfinished, failed);
  }
  if (status.ok()) status = sync_folder(snapshot_folder());
  if (!status.ok()) {
    fs::remove_all(unfinished, failed);
    return status.error();
  }
  log_info("made a snapshot", {{"name", std::string_view(name)}, {"skip_head", skip_head}});
  return name;
}

/// What a process left that ended in the middle of a snapshot.
void StoreCore::remove_unfinished_snapshots() const {
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(snapshot_folder(), failed)) {
    if (!entry.path().filename().string().starts_with(kUnfinished)) continue;
    fs::remove_all(entry.path(), failed);
    if (failed)
      log_warn("an unfinished snapshot can't be removed",
               {{"folder", entry.path().string()}, {"error", std::string_view(failed.message())}});
  }
}

}  // namespace pipit
