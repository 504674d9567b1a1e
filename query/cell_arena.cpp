#include "query/cell_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <new>

namespace pipit {

CellArena::~CellArena() {
  for (const Piece& piece : pieces_) {
    if (piece.mapped != 0) {
      ::munmap(piece.memory, piece.mapped);
    } else {
      ::operator delete(piece.memory);
    }
  }
}

void* CellArena::do_allocate(std::size_t bytes, std::size_t alignment) {
  if (alignment > kAlignment) throw std::bad_alloc();
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (bytes > spare_) add_piece(bytes);
  std::byte* allocated = free_;
  free_ += bytes;
  spare_ -= bytes;
  return allocated;
}

void CellArena::add_piece(std::size_t bytes) {
  pieces_.reserve(pieces_.size() + 1);
  // A quarter of what there is already, so that little stays unused.
  std::size_t size = std::max({bytes, total_ / 4, kLeastPiece});
  Piece piece{nullptr, 0};
  if (std::max(size, total_) >= kHugePage) {
    size = (size + kHugePage - 1) / kHugePage * kHugePage;
    // Huge pages stand at multiples of their size.
    void* mapped = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    auto* begin = static_cast<std::byte*>(mapped);
    const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
    if (before > 0) ::munmap(begin, before);
    begin += before;
    if (before < kHugePage) ::munmap(begin + size, kHugePage - before);
    ::madvise(begin, size, MADV_HUGEPAGE);  // or else it is slower
    piece = {begin, size};
  } else {
    piece.memory = ::operator new(size);
  }
  pieces_.push_back(piece);
  free_ = static_cast<std::byte*>(piece.memory);
  spare_ = size;
  total_ += size;
}

}  // namespace pipit
