#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/result.h"

namespace pipit {

/// One point of a script's series; nothing for a gap.
using ScriptPoint = std::optional<double>;

/// A line such as `metric{job="x"} 1+1x3 _ stale`: the notation in which Prometheus's test scripts load samples and
/// say what they expect.
struct ScriptSeries {
  Labels labels;
  std::vector<ScriptPoint> points;
  bool has_histograms = false;       ///< `{{schema:0 ...}}` among them; `points` is then empty
  bool is_start_timestamps = false;  ///< `metric@st -1m ...`; `points` is then empty
};

/// Errors: bad_data, which says what of the line makes no sense.
Result<ScriptSeries> parse_script_series(std::string_view line);

}  // namespace pipit
