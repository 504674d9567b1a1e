#pragma once

#include <cstddef>
#include <memory_resource>
#include <vector>

namespace pipit {

/// Memory for cells that are all given back together: those of an answer, or that an operator keeps.
///
/// A large answer is new memory each time, and the kernel's work to hand it out page by page costs as much as computing
/// the answer does. So large arenas ask for huge pages. Small ones are small. Not thread-safe.
class CellArena final : public std::pmr::memory_resource {
 public:
  CellArena() = default;
  CellArena(const CellArena&) = delete;
  CellArena& operator=(const CellArena&) = delete;
  ~CellArena() override;

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  static constexpr std::size_t kAlignment = 16;
  static constexpr std::size_t kLeastPiece = 1 << 10;

  struct Piece {
    void* memory;
    std::size_t mapped;  ///< bytes; 0 when it is operator new's
  };

  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
  void add_piece(std::size_t bytes);

  std::vector<Piece> pieces_;
  std::byte* free_ = nullptr;  ///< in the last piece
  std::size_t spare_ = 0;      ///< bytes from there
  std::size_t total_ = 0;      ///< of all pieces
};

/// Cells in an arena, or elsewhere.
using CellVector = std::pmr::vector<double>;

}  // namespace pipit
