#include "tools/graph_canvas.h"

#include <cstdlib>

namespace pipit {

GraphCanvas::GraphCanvas(int columns, int rows)
    : columns_(columns),
      rows_(rows),
      dots_(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows)),
      pens_(dots_.size(), -1) {}

void GraphCanvas::dot(int x, int y, int pen) {
  if (x < 0 || y < 0 || x >= dots_across() || y >= dots_down()) return;
  // Bits of U+2800 by dot: the first three rows count down the left column, then the right one; the fourth row came
  // later.
  constexpr std::uint8_t kBits[kDotsDown][kDotsAcross] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
  const std::size_t cell = index(x / kDotsAcross, y / kDotsDown);
  dots_[cell] |= kBits[y % kDotsDown][x % kDotsAcross];
  pens_[cell] = pen;
}

void GraphCanvas::line(int x0, int y0, int x1, int y1, int pen) {
  // Bresenham's algorithm.
  const int dx = std::abs(x1 - x0), dy = -std::abs(y1 - y0);
  const int step_x = x0 < x1 ? 1 : -1, step_y = y0 < y1 ? 1 : -1;
  int error = dx + dy;
  while (true) {
    dot(x0, y0, pen);
    if (x0 == x1 && y0 == y1) return;
    const int twice = 2 * error;
    if (twice >= dy) {
      error += dy;
      x0 += step_x;
    }
    if (twice <= dx) {
      error += dx;
      y0 += step_y;
    }
  }
}

std::string GraphCanvas::braille_at(int column, int row) const {
  const std::uint8_t bits = dots_[index(column, row)];
  if (bits == 0) return " ";
  // U+2800 + bits in UTF-8.
  return {static_cast<char>(0xe2), static_cast<char>(0xa0 | (bits >> 6)), static_cast<char>(0x80 | (bits & 0x3f))};
}

}  // namespace pipit
