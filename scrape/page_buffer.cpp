#include "scrape/page_buffer.h"

#include <algorithm>
#include <cstring>

namespace pipit {
namespace {

constexpr std::size_t kSmallestCapacity = 16 << 10;
constexpr std::size_t kMostIdleBuffers = 8;
constexpr std::size_t kMostIdleBytes = 1 << 20;

}  // namespace

void PageBuffer::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  auto bigger = std::make_unique_for_overwrite<char[]>(capacity);
  if (size_ > 0) std::memcpy(bigger.get(), data_.get(), size_);
  data_ = std::move(bigger);
  capacity_ = capacity;
}

void PageBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (size_ + bytes.size() > capacity_) {
    reserve(std::max({size_ + bytes.size(), capacity_ + capacity_ / 2, kSmallestCapacity}));
  }
  std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void PageBuffer::end_line() {
  if (size_ > 0 && data_[size_ - 1] != '\n') append("\n");
}

PageBuffer PageBufferPool::take() {
  if (idle_.empty()) return {};
  // The largest is last: it fits whatever comes, and the small ones leave by not being used.
  PageBuffer buffer = std::move(idle_.back());
  idle_.pop_back();
  idle_bytes_ -= buffer.capacity();
  buffer.clear();
  return buffer;
}

void PageBufferPool::give(PageBuffer buffer) {
  if (buffer.capacity() == 0 || idle_.size() == kMostIdleBuffers || idle_bytes_ + buffer.capacity() > kMostIdleBytes) {
    return;
  }
  idle_bytes_ += buffer.capacity();
  auto place = std::upper_bound(idle_.begin(), idle_.end(), buffer.capacity(),
                                [](std::size_t capacity, const PageBuffer& b) { return capacity < b.capacity(); });
  idle_.insert(place, std::move(buffer));
}

}  // namespace pipit
