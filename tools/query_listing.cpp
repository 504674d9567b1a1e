#include "tools/query_listing.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "model/duration.h"
#include "model/labels.h"
#include "tools/query_output.h"

namespace pipit {
namespace {

using Json = nlohmann::ordered_json;

std::optional<Labels> read_labels(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  std::vector<Label> labels;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) return std::nullopt;
    labels.push_back({name, value.get<std::string>()});
  }
  return Labels(std::move(labels));
}

std::string text_of(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

/// Rows with labels: some cells, then labels, either together or spread over columns.
class LabelRows {
 public:
  void add(std::vector<std::string> cells, std::vector<Labels> groups) {
    rows_.push_back({std::move(cells), std::move(groups)});
  }

  /// `groups` names the groups of labels; of all but the first it is put before the label in a column's name.
  void write(bool spread, const std::vector<std::string>& groups, QueryListing& listing) const {
    std::vector<std::set<std::string>> names(groups.size());
    for (const Row& row : rows_) {
      for (std::size_t g = 0; g < groups.size(); ++g) {
        for (const Label& label : row.groups[g]) names[g].insert(std::string(label.name));
      }
    }
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (!spread) {
        listing.columns.push_back(groups[g]);
        continue;
      }
      for (const std::string& name : names[g]) listing.columns.push_back(g == 0 ? name : groups[g] + '_' + name);
    }
    for (const Row& row : rows_) {
      std::vector<std::string> cells = row.cells;
      for (std::size_t g = 0; g < groups.size(); ++g) {
        if (!spread) {
          cells.push_back(row.groups[g].to_string());
          continue;
        }
        for (const std::string& name : names[g]) cells.emplace_back(row.groups[g].get(name));
      }
      listing.rows.push_back(std::move(cells));
    }
  }

 private:
  struct Row {
    std::vector<std::string> cells;
    std::vector<Labels> groups;
  };
  std::vector<Row> rows_;
};

bool read_exemplars(const Json& data, bool spread, QueryListing& listing) {
  listing.columns = {spread ? "timestamp" : "time", "value"};
  LabelRows rows;
  for (const Json& series : data) {
    if (!series.is_object()) return false;
    const auto labels = read_labels(series.value("seriesLabels", Json()));
    const Json exemplars = series.value("exemplars", Json());
    if (!labels || !exemplars.is_array()) return false;
    for (const Json& exemplar : exemplars) {
      if (!exemplar.is_object()) return false;
      const auto own = read_labels(exemplar.value("labels", Json()));
      const Json time = exemplar.value("timestamp", Json());
      if (!own || !time.is_number() || !(std::abs(time.get<double>()) < 9e15)) return false;
      const TimestampMs at = std::llround(time.get<double>() * 1000);
      rows.add({spread ? time.dump() : format_rfc3339(at), text_of(exemplar, "value")}, {*labels, *own});
    }
  }
  rows.write(spread, {"series", "exemplar"}, listing);
  return true;
}

bool read_series(const Json& data, bool spread, QueryListing& listing) {
  LabelRows rows;
  for (const Json& series : data) {
    const auto labels = read_labels(series);
    if (!labels) return false;
    rows.add({}, {*labels});
  }
  rows.write(spread, {"series"}, listing);
  return true;
}

/// The metadata of `name`, or of the family whose series it is.
const Json* find_metadata(const Json& metadata, const std::string& name) {
  for (const std::string_view suffix : {"", "_bucket", "_count", "_sum", "_total"}) {
    if (!std::string_view(name).ends_with(suffix)) continue;
    const auto it = metadata.find(name.substr(0, name.size() - suffix.size()));
    if (it != metadata.end() && it->is_array() && !it->empty() && (*it)[0].is_object()) return &(*it)[0];
  }
  return nullptr;
}

}  // namespace

bool read_listing(QueryKind kind, std::string_view data_json, bool spread_labels, QueryListing& listing) {
  const Json data = Json::parse(data_json, nullptr, /*allow_exceptions=*/false);
  if (!data.is_array()) return false;
  if (kind == QueryKind::exemplars) return read_exemplars(data, spread_labels, listing);
  if (kind == QueryKind::series) return read_series(data, spread_labels, listing);
  listing.columns = {"value"};
  for (const Json& value : data) {
    if (!value.is_string()) return false;
    listing.rows.push_back({value.get<std::string>()});
  }
  return true;
}

bool read_metrics(std::string_view names_json, std::string_view metadata_json, std::string_view part,
                  QueryListing& listing) {
  const Json names = Json::parse(names_json, nullptr, false);
  const Json metadata = Json::parse(metadata_json, nullptr, false);
  if (!names.is_array() || !metadata.is_object()) return false;
  listing.columns = {"name", "type", "unit", "help"};
  for (const Json& entry : names) {
    if (!entry.is_string()) return false;
    const std::string name = entry.get<std::string>();
    if (name.find(part) == name.npos) continue;
    const Json* known = find_metadata(metadata, name);
    listing.rows.push_back({name, known ? text_of(*known, "type") : "", known ? text_of(*known, "unit") : "",
                            known ? text_of(*known, "help") : ""});
  }
  return true;
}

std::string format_json(const QueryListing& listing) {
  Json out = Json::array();
  for (const auto& row : listing.rows) {
    Json object = Json::object();
    for (std::size_t i = 0; i < row.size(); ++i) object[listing.columns[i]] = row[i];
    out.push_back(std::move(object));
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string format_table(const QueryListing& listing) {
  const std::size_t columns = listing.columns.size();
  std::vector<std::size_t> widths(columns, 0);
  std::vector<std::vector<std::string>> rows;
  if (columns > 1 && !listing.rows.empty()) rows.push_back(listing.columns);
  rows.insert(rows.end(), listing.rows.begin(), listing.rows.end());
  for (auto& row : rows) {
    for (std::size_t i = 0; i < columns; ++i) {
      row[i] = printable(row[i]);
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < columns; ++i) {
      if (i > 0) line += "  ";
      line += row[i];
      line.append(widths[i] - display_width(row[i]), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string format_csv(const QueryListing& listing) {
  std::string out;
  const auto add = [&out](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) out += ',';
      append_csv_field(out, cells[i]);
    }
    out += '\n';
  };
  add(listing.columns);
  for (const auto& row : listing.rows) add(row);
  return out;
}

}  // namespace pipit
