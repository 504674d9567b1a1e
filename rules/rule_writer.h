#pragma once

#include <cstdint>
#include <vector>

#include "model/result.h"
#include "rules/rule.h"
#include "storage/appender.h"

namespace pipit {

/// What became of a rule's samples.
struct RuleWriteReport {
  AppendReport::Refusal refusal = AppendReport::Refusal::none;  ///< of the first that was refused
  std::uint32_t refused = 0;
};

/// Stores a rule's samples at a time, and stale markers for the series that it had stored before and now has not.
/// `series` becomes the handles of those stored now. On an error nothing is stored and `series` stays.
Result<RuleWriteReport> write_rule_samples(Appender& appender, const std::vector<RuleSample>& samples, TimestampMs time,
                                           std::vector<SeriesRef>& series);

/// Stale markers for series. Those that the store has let go of are long stale.
Status mark_stale(Appender& appender, const std::vector<SeriesRef>& series, TimestampMs time);

}  // namespace pipit
