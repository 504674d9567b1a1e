#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pipit {

/// A grid of dots, eight of them (2 x 4) to a terminal cell, each cell with the pen that drew there last.
class GraphCanvas {
 public:
  static constexpr int kDotsAcross = 2;
  static constexpr int kDotsDown = 4;

  GraphCanvas(int columns, int rows);

  int columns() const { return columns_; }
  int rows() const { return rows_; }
  int dots_across() const { return columns_ * kDotsAcross; }
  int dots_down() const { return rows_ * kDotsDown; }

  /// Dot (0, 0) is at the top left. Dots outside are ignored.
  void dot(int x, int y, int pen);
  void line(int x0, int y0, int x1, int y1, int pen);

  /// The cell's pen, or -1 when nothing was drawn in it.
  int pen_at(int column, int row) const { return pens_[index(column, row)]; }
  /// The cell as a braille character, " " when nothing was drawn in it.
  std::string braille_at(int column, int row) const;

 private:
  std::size_t index(int column, int row) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) + static_cast<std::size_t>(column);
  }

  int columns_;
  int rows_;
  std::vector<std::uint8_t> dots_;
  std::vector<int> pens_;
};

}  // namespace pipit
