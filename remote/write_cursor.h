#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "model/result.h"
#include "remote/write_queue.h"

namespace pipit {

/// How far an endpoint is, in a file, so that a restart goes on there. It is written in the page cache, which outlives
/// the process, before and after each window of batches.
class WriteCursor {
 public:
  struct State {
    QueuePosition begin;       ///< everything before it is delivered, or was refused for good
    QueuePosition end;         ///< the end of what is on its way; `begin` when nothing is
    std::uint32_t shards = 1;  ///< over how many it was spread: the same batches are made of it again
    bool operator==(const State&) const = default;
  };

  /// Opens the file, which is made when it is missing.
  static Result<std::unique_ptr<WriteCursor>> open(const std::filesystem::path& path);
  ~WriteCursor();
  WriteCursor(const WriteCursor&) = delete;
  WriteCursor& operator=(const WriteCursor&) = delete;

  /// Nothing in a new file.
  const std::optional<State>& state() const { return state_; }
  void store(const State& state);
  void sync();

 private:
  explicit WriteCursor(int fd) : fd_(fd) {}
  void load();

  int fd_;
  std::uint64_t turn_ = 0;
  bool dirty_ = false;
  std::optional<State> state_;
};

}  // namespace pipit
