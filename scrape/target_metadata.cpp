#include "scrape/target_metadata.h"

#include "scrape/openmetrics.h"

namespace pipit {

FamilyMetadata join_metadata(const std::vector<MetadataLine>& lines, PageFormat format, std::size_t& i) {
  FamilyMetadata family;
  const std::string_view raw_name = lines[i].metric;
  family.metric = unescape_text(raw_name, true);
  for (; i < lines.size() && lines[i].metric == raw_name; ++i) {
    switch (lines[i].kind) {
      case MetadataLine::Kind::type:
        family.metadata.type = lines[i].type;
        break;
      case MetadataLine::Kind::help:
        family.metadata.help = unescape_text(lines[i].text, format == PageFormat::openmetrics);
        break;
      case MetadataLine::Kind::unit:
        family.metadata.unit = lines[i].text;
        break;
    }
  }
  return family;
}

void MetadataReader::take(std::string_view comments, PageFormat format, std::vector<FamilyMetadata>& out) {
  if (comments.empty() || (!metric_.empty() && comments.find(metric_) == std::string_view::npos)) return;
  lines_.clear();
  SeriesText series;
  PageFault fault;
  // They were accepted when the page was, so that faults are only those of a page that seems to be cut.
  if (format == PageFormat::text) {
    scan_series(comments.data(), comments.data() + comments.size(), lines_, series, fault);
  } else {
    scan_openmetrics_series(comments.data(), comments.data() + comments.size(), lines_, series, fault);
  }
  for (std::size_t i = 0; i < lines_.size();) {
    FamilyMetadata family = join_metadata(lines_, format, i);
    if (metric_.empty() || family.metric == metric_) out.push_back(std::move(family));
  }
}

std::vector<FamilyMetadata> MetadataReader::read(const SeriesCache& cache) {
  std::vector<FamilyMetadata> out;
  cache.visit_comments([&](std::uint64_t, std::string_view comments) {
    take(comments, cache.format(), out);
    return true;
  });
  return out;
}

std::vector<FamilyMetadata> MetadataReader::read_unseen(const SeriesCache& cache) {
  std::vector<FamilyMetadata> out;
  std::uint64_t running = 0;  // the block whose lines are being read
  cache.visit_comments([&](std::uint64_t block, std::string_view comments) {
    if (block != running && block != 0 && !seen_.insert(block).second) return false;
    running = block;
    take(comments, cache.format(), out);
    return true;
  });
  return out;
}

}  // namespace pipit
