#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/labels.h"
#include "model/metadata.h"
#include "scrape/series_cache.h"

namespace pipit {

/// Tells the type that the last TYPE line before a sample names. Reads the page's comments from where the call before
/// ended, so asking for all samples in order costs one pass.
class FamilyTypes {
 public:
  /// `page` must stay as it is while this is in use.
  explicit FamilyTypes(const ScrapedPage& page) : page_(page) {}

  MetricType before(std::size_t sample);

 private:
  const ScrapedPage& page_;
  std::vector<MetadataLine> lines_;
  std::size_t next_ = 0;  ///< the first sample whose comments were not read
  MetricType type_ = MetricType::unknown;
};

/// Writes `le` of a histogram's series and `quantile` of a summary's as OpenMetrics writes numbers (`1` becomes `1.0`),
/// so that a series keeps its name whatever the format it is scraped in. As Prometheus does since version 3.
void normalize_bucket_label(MetricType type, std::vector<Label>& labels);

}  // namespace pipit
