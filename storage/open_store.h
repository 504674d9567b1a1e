#pragma once

#include "storage/database.h"
#include "storage/store.h"

namespace pipit {

/// A store over what `opener` opens: what Store::open does with RocksDB, tests do with their stand-in.
Result<std::unique_ptr<Store>> open_store(const DatabaseOpener& opener, const StoreOptions& options,
                                          MetricsRegistry& metrics);

}  // namespace pipit
