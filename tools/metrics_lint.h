#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/metadata.h"
#include "model/result.h"

namespace pipit {

/// A metric family of a page, as far as lint looks at it.
struct LintedFamily {
  std::string name;
  MetricType type = MetricType::unknown;
  bool has_type = false;
  bool has_help = false;
  /// The label names of each metric, in page order. The samples of a histogram or summary are one metric, without
  /// `le` and `quantile`.
  std::vector<std::vector<std::string>> metrics;
  std::size_t repeated = 0;         ///< metrics whose labels occur again
  std::size_t first_parts = 0;      ///< buckets or quantiles of the first metric
  std::size_t cardinality() const;  ///< series, as promtool counts them
};

/// The families of a page in text format, in page order. The page need not end with a newline.
/// Errors: bad_data, "text format parsing error in line N: ...".
Result<std::vector<LintedFamily>> read_families(std::string page);

struct LintProblem {
  std::string metric;
  std::string text;
};

/// What promtool has against these families, in its words and order: by metric and text.
std::vector<LintProblem> lint_families(const std::vector<LintedFamily>& families);

}  // namespace pipit
