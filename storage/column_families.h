#pragma once

#include <rocksdb/db.h>

#include <vector>

namespace pipit {

/// The store's column families, in the order of `Database`'s accessors, with what each of them is tuned for. They share
/// one block cache.
std::vector<rocksdb::ColumnFamilyDescriptor> column_families(std::size_t cache_bytes);

}  // namespace pipit
