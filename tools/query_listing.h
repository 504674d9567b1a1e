#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/query_answer.h"
#include "tools/query_options.h"

namespace pipit {

/// What has no values over time: series, labels, exemplars, metrics. Rows of as many cells as `columns`.
struct QueryListing {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Reads the `data` of an answer of that kind as rows for people. With `spread_labels` each label has a column of its
/// own, as CSV has it; else labels stand together as PromQL writes them. False when it is no such answer.
bool read_listing(QueryKind kind, std::string_view data_json, bool spread_labels, QueryListing& listing);

/// The names of metrics that exist (a list) with what the metadata (a map by name) says of them, those that contain
/// `part`. A series of a histogram or summary has its family's metadata.
bool read_metrics(std::string_view names_json, std::string_view metadata_json, std::string_view part,
                  QueryListing& listing);
/// The same as JSON: [{"name":...,"type":...,"unit":...,"help":...}].
std::string format_json(const QueryListing& listing);

/// Aligned columns; a header above them when there are several.
std::string format_table(const QueryListing& listing);
/// RFC 4180 with `\n`, always with a header.
std::string format_csv(const QueryListing& listing);

}  // namespace pipit
