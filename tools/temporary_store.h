#pragma once

#include <filesystem>
#include <memory>

#include "model/result.h"
#include "storage/store.h"
#include "telemetry/metrics.h"

namespace pipit {

/// A store in a new folder below the system's temporary one. The destructor removes the folder.
class TemporaryStore {
 public:
  /// Errors: unavailable when there is no place for a folder, or those of Store::open.
  static Result<std::unique_ptr<TemporaryStore>> open();
  ~TemporaryStore();

  Store& store() { return *store_; }
  MetricsRegistry& metrics() { return metrics_; }

 private:
  explicit TemporaryStore(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
  MetricsRegistry metrics_;
  std::unique_ptr<Store> store_;
};

}  // namespace pipit
