#pragma once

#include <rocksdb/db.h>

#include <filesystem>
#include <memory>

#include "storage/database.h"

namespace pipit {

/// A table file that is written beside the database's own, in its folder, and becomes one of them. One at a time.
Result<std::unique_ptr<Database::Replacement>> begin_table_replacement(const Database& database, rocksdb::DB& db,
                                                                       Database::Family* family,
                                                                       const std::filesystem::path& folder);
/// Removes what a kill left of one.
void remove_unfinished_replacement(const std::filesystem::path& folder);

}  // namespace pipit
