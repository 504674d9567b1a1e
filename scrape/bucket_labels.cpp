#include "scrape/bucket_labels.h"

#include "model/number.h"
#include "scrape/openmetrics.h"

namespace pipit {

MetricType FamilyTypes::before(std::size_t sample) {
  if (sample < next_) {
    next_ = 0;
    type_ = MetricType::unknown;
  }
  const char* const text = page_.text.data();
  for (; next_ <= sample; ++next_) {
    const ScrapedPage::Line& line = page_.lines[next_];
    if (line.begin == line.series) continue;
    lines_.clear();
    SeriesText series;
    PageFault fault;
    const char* const end = text + page_.text.size();
    if (page_.format == PageFormat::text) {
      scan_series(text + line.begin, end, lines_, series, fault);
    } else {
      scan_openmetrics_series(text + line.begin, end, lines_, series, fault);
    }
    for (const MetadataLine& comment : lines_) {
      if (comment.kind == MetadataLine::Kind::type) type_ = comment.type;
    }
  }
  return type_;
}

void normalize_bucket_label(MetricType type, std::vector<Label>& labels) {
  std::string_view bucket_label;
  if (type == MetricType::histogram) bucket_label = "le";
  if (type == MetricType::summary) bucket_label = "quantile";
  if (bucket_label.empty()) return;
  for (Label& label : labels) {
    if (label.name != bucket_label) continue;
    const auto bound = parse_float(label.value);
    if (!bound) continue;
    label.value = format_float_g(*bound);
    if (label.value.find_first_of(".eN") == std::string::npos && label.value.find("Inf") == std::string::npos) {
      label.value += ".0";
    }
  }
}

}  // namespace pipit
