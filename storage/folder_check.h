#pragma once

#include <filesystem>
#include <string>

#include "model/result.h"

namespace pipit {

/// What RocksDB would not notice, or call something else: a `CURRENT` that is gone, a log that is damaged in the
/// middle, of which it would take the start for all. Errors: internal, with the file and what to do.
Status check_data_folder(const std::filesystem::path& folder);

/// The damaged file, when RocksDB refuses a folder without saying which it is, and what is wrong with it; "" when all
/// files look good.
std::string find_damaged_file(const std::filesystem::path& folder);

}  // namespace pipit
