#pragma once

#include <string>

#include "model/sample.h"
#include "tools/query_answer.h"

namespace pipit {

/// How and over which time to draw.
struct GraphStyle {
  int width = 100;  ///< cells of the whole picture; the least is 40
  int height = 20;  ///< rows of the plot; 5 to 60
  bool color = false;
  bool unicode = true;
  TimestampMs start = 0;
  TimestampMs end = 0;
  DurationMs step = 0;  ///< points further apart than this have a gap between them
};

/// Draws the series of a matrix over time: lines in braille dots (eight to a cell) with a colour a series, or, when
/// several series have to be told apart without colours, a letter a series. Values as SI numbers on the left, local
/// times below, then the legend. NaN, infinities and native histograms leave gaps. "" when there are no series.
std::string format_graph(const QueryAnswer& answer, const GraphStyle& style);

}  // namespace pipit
