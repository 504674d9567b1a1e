#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace pipit {

/// Bytes that grow up to a limit. Unlike a string it does not clear what it is about to overwrite, and it can be
/// filled from outside.
class PageBuffer {
 public:
  PageBuffer() = default;
  PageBuffer(PageBuffer&& other) noexcept
      : data_(std::move(other.data_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }

  char* data() { return data_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_.get(), size_}; }
  void clear() { size_ = 0; }
  /// REQUIRES: size <= capacity().
  void set_size(std::size_t size) { size_ = size; }
  /// Makes room for `capacity` bytes, keeping what is there.
  void reserve(std::size_t capacity);
  void append(std::string_view bytes);
  /// Ends the bytes with a newline if they have none and are not empty.
  void end_line();

 private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Lends buffers to scrapes in flight, so that memory follows the number of pages on their way and not the number of
/// targets. Keeps some of what comes back. Not thread-safe.
class PageBufferPool {
 public:
  PageBuffer take();
  void give(PageBuffer buffer);

 private:
  std::vector<PageBuffer> idle_;
  std::size_t idle_bytes_ = 0;
};

}  // namespace pipit
