#include "scrape/page_layout.h"

#include <cstring>

namespace pipit {
namespace {

std::uint64_t hash_lines(std::span<const LayoutLine> lines, std::span<const char* const> texts) {
  std::uint64_t hash = lines.size();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    hash = hash * 0x9e3779b97f4a7c15ULL + lines[i].series;
    hash ^= std::hash<std::string_view>()(std::string_view(texts[i], lines[i].length)) + (hash << 6) + (hash >> 2);
  }
  return hash;
}

bool same_lines(const LayoutBlock& block, std::span<const LayoutLine> lines, std::span<const char* const> texts) {
  if (block.lines().size() != lines.size()) return false;
  const char* text = block.text();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const LayoutLine& known = block.lines()[i];
    if (known.length != lines[i].length || known.series != lines[i].series) return false;
    if (std::memcmp(text, texts[i], known.length) != 0) return false;
    text += known.length;
  }
  return true;
}

}  // namespace

LayoutPool::Handle LayoutPool::intern(std::span<const LayoutLine> lines, std::span<const char* const> texts) {
  const std::uint64_t hash = hash_lines(lines, texts);
  std::lock_guard lock(mutex_);
  auto [found, inserted] = blocks_.try_emplace(hash, nullptr);
  if (!inserted && same_lines(*found->second, lines, texts)) {
    ++found->second->users_;
    return Handle(found->second);
  }
  std::size_t size = 0;
  for (const LayoutLine& line : lines) size += line.length;
  auto block = std::make_unique<LayoutBlock>();
  block->pool_ = this;
  block->size_ = static_cast<std::uint32_t>(lines.size() + (size + sizeof(LayoutLine) - 1) / sizeof(LayoutLine));
  block->storage_ = std::make_unique_for_overwrite<LayoutLine[]>(block->size_);
  std::copy(lines.begin(), lines.end(), block->storage_.get());
  auto* text = reinterpret_cast<char*>(block->storage_.get() + lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::memcpy(text, texts[i], lines[i].length);
    text += lines[i].length;
  }
  block->hash_ = hash;
  block->line_count_ = static_cast<std::uint32_t>(lines.size());
  block->users_ = 1;
  block->shared_ = inserted;
  if (inserted) found->second = block.get();
  bytes_ += block->bytes();
  return Handle(block.release());
}

std::size_t LayoutPool::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

void LayoutPool::release(LayoutBlock* block) {
  std::lock_guard lock(mutex_);
  if (--block->users_ > 0) return;
  if (block->shared_) blocks_.erase(block->hash_);
  bytes_ -= block->bytes();
  delete block;
}

}  // namespace pipit
