#include "storage/folder_check.h"

#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "storage/log_check.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;

/// In the order of their numbers, which is that of their making.
std::vector<fs::path> files_of(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string describe(const fs::path& file, const LogDamage& damage) {
  const std::string at = std::to_string(damage.offset);
  return file.string() + " can't be read from byte " + at + " on" + (damage.goes_on ? ", although more follows" : "") +
         ". To start without what follows, cut it there: truncate -s " + at + " " + file.string();
}

/// A crash or a full disk leaves half a record at the end; RocksDB takes what is before it, without a word. Whether
/// more than that is missing can't be told.
void warn_of_cut_manifest(const fs::path& folder) {
  std::ifstream current(folder / "CURRENT");
  std::string name;
  if (!std::getline(current, name) || name.empty()) return;
  const auto damage = find_log_damage(folder / name);
  if (!damage.ok() || !*damage) return;
  log_error("a file ends in the middle of a record: if no crash or full disk explains it, the newest data is lost",
            {{"file", (folder / name).string()}, {"byte", (*damage)->offset}});
}

}  // namespace

Status check_data_folder(const fs::path& folder) {
  std::error_code failed;
  const bool has_tables = !files_of(folder, ".sst").empty();
  if (has_tables && !fs::exists(folder / "CURRENT", failed) && !failed) {
    return internal_error(
        "the data folder " + folder.string() + " is damaged: " + (folder / "CURRENT").string() +
        " is gone. Restore it from a copy (it holds the name of the newest MANIFEST file and a newline)");
  }
  for (const fs::path& file : files_of(folder, ".log")) {
    auto damage = find_log_damage(file);
    if (!damage.ok()) return damage.error();
    if (*damage && (*damage)->goes_on) {
      return internal_error("the data folder " + folder.string() + " is damaged: " + describe(file, **damage));
    }
  }
  warn_of_cut_manifest(folder);
  return {};
}

std::string find_damaged_file(const fs::path& folder) {
  for (const fs::path& file : files_of(folder, ".log")) {
    auto damage = find_log_damage(file);
    if (damage.ok() && *damage) return describe(file, **damage);
  }
  for (const fs::path& file : files_of(folder, ".sst")) {
    rocksdb::SstFileReader reader{rocksdb::Options()};
    auto status = reader.Open(file.string());
    if (status.ok()) status = reader.VerifyChecksum();
    if (!status.ok()) return file.string() + ": " + status.ToString();
  }
  return "";
}

}  // namespace pipit
