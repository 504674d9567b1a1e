#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "model/labels.h"
#include "model/metadata.h"
#include "model/result.h"

namespace pipit {

/// The labels of a series on a page, `series` as text, with those of its target, after metric relabelling; nothing when
/// that drops it. `family` is its type on the page. Errors: bad_data when they are not valid or over the job's limits.
Result<std::optional<Labels>> series_labels(std::string_view series, MetricType family, const Labels& target,
                                            const ScrapeConfig& config);

/// The labels of a page's series together with the target's. What the target's displace is kept under `exported_` names
/// unless the page's are to be honored.
Labels merge_labels(std::vector<Label> exposed, const Labels& target, bool honor);

/// Whether both make the same series of the same page.
bool same_series(const ScrapeConfig& a, const ScrapeConfig& b);

}  // namespace pipit
