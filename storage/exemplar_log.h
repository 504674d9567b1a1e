#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "storage/exemplar_store.h"

namespace pipit {

/// The exemplars of an ExemplarStore on disk, so that they outlive the process: they are appended as they come, to
/// `path`, and a file with as many as the store keeps becomes `path`.old. There are files only once there was an
/// exemplar. Nothing is synced, so a power cut may cost the last seconds. Bytes: docs/storage.md. Not thread-safe.
class ExemplarLog {
 public:
  ExemplarLog(std::filesystem::path path, std::size_t exemplars_per_file);
  ~ExemplarLog();
  ExemplarLog(const ExemplarLog&) = delete;
  ExemplarLog& operator=(const ExemplarLog&) = delete;

  /// Visits what is there, oldest first. Damage ends a file. Call it before anything is added.
  void read(const std::function<void(Labels series, Exemplar exemplar)>& visit);

  /// `series` is a number of the caller's for the labels, good until `forget`.
  void add(std::uint32_t series, const Labels& labels, const Exemplar& exemplar);
  void forget(std::uint32_t series);
  void set_exemplars_per_file(std::size_t count) { per_file_ = count; }

 private:
  struct FileEnd {
    std::size_t size = 0;
    std::size_t exemplars = 0;
  };
  FileEnd read_file(const std::filesystem::path& path,
                    const std::function<void(Labels series, Exemplar exemplar)>& visit) const;
  bool open_file();
  void close_file();
  void rotate();

  std::filesystem::path path_;
  std::size_t per_file_;
  int fd_ = -1;
  FileEnd end_;                         ///< of the file that is written
  std::uint32_t generation_ = 1;        ///< of this process's files
  std::vector<std::uint32_t> defined_;  ///< in which generation's file a series was defined last, by number
  std::string bytes_;
  bool failing_ = false;  ///< the log knows
};

}  // namespace pipit
