#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/matcher.h"
#include "model/result.h"
#include "model/sample.h"
#include "tools/script_series.h"

namespace pipit {

// A script of Prometheus's PromQL test language, read but not yet run:
//
//     load 5m
//       http_requests{job="api"} 0+10x10
//     eval instant at 50m sum(http_requests)
//       {} 100
//
// docs/cli.md describes the language.

/// Stores samples: the first point of each series at time 0, the others `step` apart.
struct ScriptLoad {
  int line = 0;
  DurationMs step = 0;
  bool with_nhcb = false;  ///< classic histograms are loaded as native ones too
  std::vector<ScriptSeries> series;
};

/// Forgets all samples.
struct ScriptClear {};

/// How an error or remark has to read.
struct ExpectedText {
  std::string text;            ///< the whole of it, or the pattern
  std::optional<Regex> regex;  ///< matches anywhere in it
  bool matches(std::string_view actual) const;
};

/// What is expected of an answer's warnings, or of its infos.
struct ExpectedRemarks {
  bool none = false;
  bool some = false;
  /// Each has to match a remark, and each remark one of these, if there are any.
  std::vector<ExpectedText> texts;
};

struct ScriptEvaluation {
  int line = 0;
  std::string expr;
  TimestampMs start = 0;
  TimestampMs end = 0;
  DurationMs step = 0;  ///< 0: an instant evaluation
  bool ordered = false;
  bool fails = false;
  std::optional<ExpectedText> failure;  ///< in any words, if there is none
  ExpectedRemarks warnings;
  ExpectedRemarks infos;
  std::optional<double> scalar;
  std::optional<std::string> string;
  std::vector<ScriptSeries> series;
  /// Where the points of an instant evaluation's range vector lie: from, to, step.
  struct Points {
    TimestampMs from = 0;
    TimestampMs to = 0;
    DurationMs step = 0;
  };
  std::optional<Points> range_vector;

  bool is_range() const { return step > 0; }
  bool expects_histograms() const;
};

using ScriptCommand = std::variant<ScriptLoad, ScriptClear, ScriptEvaluation>;

/// Errors: bad_data, `12: what is wrong`, with the line's number.
Result<std::vector<ScriptCommand>> parse_promql_script(std::string_view text);

}  // namespace pipit
