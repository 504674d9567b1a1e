#include "remote/write_cursor.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "remote/queue_format.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

// Two slots are written in turn, so that a power failure in the middle of one leaves the other. A slot: numbers of 8
// bytes, little endian: turn, begin (segment, offset, item), end (the same), shards, CRC-32 of all before.
constexpr std::size_t kNumbers = 9;
constexpr std::size_t kSlotBytes = kNumbers * 8;
using Slot = std::array<std::uint64_t, kNumbers>;

std::uint64_t checksum(const Slot& slot) {
  return queue_checksum({reinterpret_cast<const char*>(slot.data()), kSlotBytes - 8});
}

}  // namespace

Result<std::unique_ptr<WriteCursor>> WriteCursor::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return Error{ErrorKind::unavailable, "the queue of remote write: cannot open " + path.string() + ": " +
                                             std::generic_category().message(errno)};
  }
  std::unique_ptr<WriteCursor> cursor(new WriteCursor(fd));
  cursor->load();
  return cursor;
}

WriteCursor::~WriteCursor() { ::close(fd_); }

void WriteCursor::load() {
  for (int i = 0; i < 2; ++i) {
    Slot slot;
    if (::pread(fd_, slot.data(), kSlotBytes, static_cast<off_t>(kSlotBytes) * i) != static_cast<ssize_t>(kSlotBytes) ||
        slot.back() != checksum(slot) || slot[0] < turn_) {
      continue;
    }
    turn_ = slot[0];
    const auto position = [&slot](std::size_t at) {
      return QueuePosition{slot[at], slot[at + 1], static_cast<std::uint32_t>(slot[at + 2])};
    };
    state_ = State{position(1), position(4), static_cast<std::uint32_t>(slot[7])};
  }
}

void WriteCursor::store(const State& state) {
  if (state_ == state) return;
  state_ = state;
  Slot slot = {++turn_,          state.begin.segment, state.begin.offset,
               state.begin.item, state.end.segment,   state.end.offset,
               state.end.item,   state.shards,        0};
  slot.back() = checksum(slot);
  if (::pwrite(fd_, slot.data(), kSlotBytes, static_cast<off_t>(kSlotBytes * (turn_ % 2))) !=
      static_cast<ssize_t>(kSlotBytes)) {
    log_error("How far remote write is can't be written down: a restart sends again what was sent since",
              {{"err", std::generic_category().message(errno)}});
  }
  dirty_ = true;
}

void WriteCursor::sync() {
  if (std::exchange(dirty_, false)) ::fdatasync(fd_);
}

}  // namespace pipit
