#pragma once

#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/result.h"

namespace pipit {

/// One point of a script's series; nothing for a gap.
using ScriptPoint = std::optional<double>;

/// A line such as `metric{job="x"} 1+1x3 _ stale`.
struct ScriptSeries {
  Labels labels;
  std::vector<ScriptPoint> points;
  bool has_histograms = false;       ///< `points` is then empty
  bool is_start_timestamps = false;  ///< `metric@st ...`; `points` is then empty
};

Result<ScriptSeries> parse_script_series(std::string_view line);

}  // namespace pipit
