#pragma once

#include <memory>

#include "storage/database.h"

namespace pipit {

/// What a MemoryDatabase holds. It outlives the database, so that a store can be opened again over what it left.
class MemoryDisk;
std::shared_ptr<MemoryDisk> make_memory_disk();
/// How often the write-ahead log was forced to it.
std::uint64_t syncs(const MemoryDisk& disk);

/// A stand-in for RocksDB in RAM: sorted maps. Unlike Debian's RocksDB it is compiled with the tests' sanitizers, so
/// ThreadSanitizer sees what threads hand to each other through the store, and only through the store: a writer takes a
/// lock, an iterator is an unchangeable map.
///
/// A store closes and opens again over the same disk. It does not survive being dropped: records in the write-ahead
/// log are thrown away, as only a closed store leaves none that matter.
std::unique_ptr<Database> open_memory_database(std::shared_ptr<MemoryDisk> disk);

}  // namespace pipit
