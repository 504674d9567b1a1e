#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "config/http_client_config.h"
#include "model/result.h"

namespace pipit {

/// Tells a file's versions apart without reading it.
struct FileVersion {
  std::int64_t modified_ns = 0;
  std::int64_t size = 0;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  bool operator==(const FileVersion&) const = default;
};

/// The version of the file at `path`, or nothing when there is none that can be seen.
std::optional<FileVersion> file_version(const std::string& path);

/// A secret of the configuration: its text, or a file that is read again when it has changed. Not thread-safe.
class Secret {
 public:
  explicit Secret(SecretSource source) : source_(std::move(source)) {}

  /// The secret as of now, of a file without blanks around it. The reference is good until the next call.
  /// Errors: unavailable when the file can't be read or has more than a mebibyte.
  Result<const std::string*> read();
  /// Whether `read` would give something else than last time.
  bool changed() const;

 private:
  SecretSource source_;
  std::optional<FileVersion> version_;
  std::string text_;
};

}  // namespace pipit
