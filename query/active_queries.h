#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "model/result.h"

namespace pipit {

/// A record of the queries that run, in a file of fixed size that survives the death of the process: whoever looks for
/// the query that killed it finds it in the log of the next start. Thread-safe.
///
/// The file has a line of 1,000 bytes for each place: blanks, or when the query started in milliseconds and its text in
/// quotes, cut off where the line ends. A write goes to the page cache and costs less than a microsecond. (Memory of
/// the file would cost nothing, but can't be written to on a full disk without a signal.)
class ActiveQueries {
 public:
  /// Logs the queries that the file has, and begins it anew. Errors: unavailable when it can't be written.
  static Result<std::unique_ptr<ActiveQueries>> open(const std::filesystem::path& file, unsigned places);
  ~ActiveQueries();
  ActiveQueries(const ActiveQueries&) = delete;

  /// Says that a query runs, for as long as this lives. `queries` may be null. Without a free place nothing is said.
  class Entry {
   public:
    Entry(ActiveQueries* queries, std::string_view expr);
    Entry(const Entry&) = delete;
    ~Entry();

   private:
    ActiveQueries* queries_;
    std::size_t place_;
  };

 private:
  ActiveQueries(int file, unsigned places);
  std::size_t add(std::string_view expr);
  void remove(std::size_t place);
  void write(std::size_t place, std::string_view text) const;

  int file_;
  std::mutex mutex_;
  std::vector<std::size_t> free_;
  std::vector<std::size_t> used_;  ///< bytes of each place, of whoever has it
};

}  // namespace pipit
