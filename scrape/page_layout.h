#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace pipit {

/// A line of a page as far as it repeats from scrape to scrape.
struct LayoutLine {
  std::uint32_t length;  ///< bytes from the end of the sample before to this one's value: metadata, series, blanks
  std::uint32_t series;  ///< where in those bytes the series begins
};

class LayoutPool;

/// The repeating bytes of some consecutive lines (usually a metric family) of one or many targets. Immutable.
class LayoutBlock {
 public:
  std::span<const LayoutLine> lines() const { return {storage_.get(), line_count_}; }
  const char* text() const { return reinterpret_cast<const char*>(storage_.get() + line_count_); }
  /// Of the lines; the same wherever they are the same.
  std::uint64_t hash() const { return hash_; }
  std::size_t bytes() const { return sizeof(*this) + size_ * sizeof(LayoutLine); }

 private:
  friend class LayoutPool;
  LayoutPool* pool_ = nullptr;
  std::unique_ptr<LayoutLine[]> storage_;  ///< the lines, then the text
  std::uint64_t hash_ = 0;
  std::uint32_t size_ = 0;  ///< of storage_, in elements
  std::uint32_t line_count_ = 0;
  std::uint32_t users_ = 0;
  bool shared_ = false;  ///< in the pool's table
};

/// Keeps one copy of blocks that targets have in common: a fleet of the same exporter differs in few lines.
/// Thread-safe. Must outlive the handles it gives.
class LayoutPool {
 public:
  /// A counted reference to a block.
  class Handle {
   public:
    Handle() = default;
    Handle(Handle&& other) noexcept : block_(other.block_) { other.block_ = nullptr; }
    Handle& operator=(Handle&& other) noexcept {
      std::swap(block_, other.block_);
      return *this;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
      if (block_ != nullptr) block_->pool_->release(block_);
    }
    const LayoutBlock& operator*() const { return *block_; }
    const LayoutBlock* operator->() const { return block_; }

   private:
    friend class LayoutPool;
    explicit Handle(LayoutBlock* block) : block_(block) {}
    LayoutBlock* block_ = nullptr;
  };

  LayoutPool() = default;
  LayoutPool(const LayoutPool&) = delete;
  LayoutPool& operator=(const LayoutPool&) = delete;

  /// The block with these lines. `texts[i]` are the bytes of `lines[i]`.
  Handle intern(std::span<const LayoutLine> lines, std::span<const char* const> texts);

  /// All blocks, once each.
  std::size_t bytes() const;

 private:
  void release(LayoutBlock* block);

  mutable std::mutex mutex_;  ///< guards the rest, and the blocks' counts
  /// Blocks by hash. Of two with the same hash and other bytes, the second is not shared.
  std::unordered_map<std::uint64_t, LayoutBlock*> blocks_;
  std::size_t bytes_ = 0;
};

}  // namespace pipit
