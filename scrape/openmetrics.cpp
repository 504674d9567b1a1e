// Source of the syntax: OpenMetrics 1.0, and Prometheus 3.14's lexer of it (model/textparse/openmetricslex.l) where
// that takes more: a comma after the last label, names in quotes.

#include "scrape/openmetrics.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "scrape/page_syntax.h"

namespace pipit {
namespace {

const char* find_newline(const char* p, const char* end) {
  return static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)));
}

bool scan_label_value(const char*& p, const char* end, PageFault& fault) {
  if (*p != '"') return fail_page(fault, p, end, "expected label value");
  const char* close = skip_quoted(p, find_newline(p, end));
  if (close == nullptr) return fail_page(fault, p, end, "expected label value");
  if (!is_valid_utf8(std::string_view(p + 1, close - 1))) return fail_page(fault, p, end, "invalid UTF-8 label value");
  p = close;
  return true;
}

/// A name inside braces, in quotes or not.
bool scan_name_in_braces(const char*& p, const char* end, bool is_exemplar, PageFault& fault) {
  const char* start = p;
  if (*p != '"') {
    if (!is_label_start(*p)) return fail_page(fault, p, end, "expected label name");
    p = skip_label_name(p);
    return true;
  }
  p = skip_quoted(start, is_exemplar ? find_newline(p, end) : end);
  if (p == nullptr) return fail_page(fault, start, end, "expected label name");
  const std::string_view name(start + 1, p - 1);
  if (name.empty()) return fail_page(fault, start, end, "expected a name that is not empty");
  if (!is_valid_utf8(name)) return fail_page(fault, start, end, "invalid UTF-8 in name");
  return true;
}

/// From the opening brace to behind the closing one. `named`: whether the metric has a name already.
bool scan_labels(const char*& p, const char* end, bool named, bool is_exemplar, PageFault& fault) {
  const char* open = p;
  ++p;
  while (*p != '}') {
    const char* name = p;
    if (!scan_name_in_braces(p, end, is_exemplar, fault)) return false;
    if (!is_exemplar && *name == '"' && (*p == ',' || *p == '}')) {
      if (named) return fail_page(fault, name, end, "metric name already set");
      named = true;
    } else {
      if (*p != '=') return fail_page(fault, p, end, "expected equal");
      ++p;
      if (!scan_label_value(p, end, fault)) return false;
      if (*p != ',' && *p != '}') return fail_page(fault, p, end, "expected comma or brace close");
    }
    if (*p == ',' && *++p == '}') return fail_page(fault, p, end, "expected label name");
  }
  ++p;
  return named || is_exemplar || fail_page(fault, open, end, "metric name not set");
}

/// The word at `p` up to a space or the end of the line.
std::string_view next_word(const char* p) {
  const char* end = p;
  while (*end != ' ' && *end != '\n') ++end;
  return {p, end};
}

bool take_number(const char*& p, const char* end, std::string_view what, double& value, PageFault& fault) {
  const std::string_view word = next_word(p);
  if (word.empty() || !parse_sample_value(word, value)) {
    return fail_page(fault, p, end, "expected " + std::string(what));
  }
  p += word.size();
  return true;
}

bool take_time(const char*& p, const char* end, TimestampMs& time, PageFault& fault) {
  const char* start = p;
  double seconds = 0;
  if (!take_number(p, end, "timestamp", seconds, fault)) return false;
  if (!std::isfinite(seconds)) return fail_page(fault, start, end, "invalid timestamp");
  // Anything so far off is refused by its time, whatever it is.
  constexpr double kFarthest = 9e18;
  time = static_cast<TimestampMs>(std::clamp(seconds * 1000, -kFarthest, kFarthest));
  return true;
}

bool is_exemplar_start(const char* p) { return p[0] == ' ' && p[1] == '#' && p[2] == ' ' && p[3] == '{'; }

/// Whether the name of the series is that of a bucket or a total.
bool takes_exemplars(std::string_view series, const char* at, PageFault& fault) {
  std::string name(series.substr(0, series.find_first_of("{ ")));
  if (name.empty()) name = parse_series(series).front().value;  // in quotes behind the brace
  if (name.ends_with("_bucket") || name.ends_with("_total")) return true;
  fault = {at, "metric name " + name + " does not support exemplars"};
  return false;
}

/// From the space before its `#` to the end of the line.
bool take_exemplar(const char*& p, const char* end, SampleTail& tail, PageFault& fault) {
  p += 3;
  const char* open = p;
  if (!scan_labels(p, end, false, true, fault)) return false;
  tail.exemplar.labels = {open, p};
  if (*p != ' ') return fail_page(fault, p, end, "expected value after exemplar labels");
  if (!take_number(++p, end, "value after exemplar labels", tail.exemplar.value, fault)) return false;
  tail.exemplar.has_time = *p == ' ';
  if (tail.exemplar.has_time && !take_time(++p, end, tail.exemplar.time, fault)) return false;
  return *p == '\n' || fail_page(fault, p, end, "expected next entry after exemplar timestamp");
}

bool is_type_word(std::string_view word, MetricType& type) {
  type = parse_metric_type(word);
  return type != MetricType::unknown || word == "unknown";
}

/// A line that begins with `# ` at `p`, but for `# EOF`. Ends at its newline, which is at `line_end`.
bool scan_metadata(const char* p, const char* line_end, const char* end, std::vector<MetadataLine>& metadata,
                   PageFault& fault) {
  MetadataLine line;
  const std::string_view word(p + 2, line_end);
  if (word.starts_with("TYPE ")) {
    line.kind = MetadataLine::Kind::type;
  } else if (word.starts_with("UNIT ")) {
    line.kind = MetadataLine::Kind::unit;
  } else if (!word.starts_with("HELP ")) {
    return fail_page(fault, p, end, "expected a valid start token");
  }
  const std::string keyword(word.substr(0, 4));
  const char* name = p + 7;
  const char* name_end = name;
  if (*name == '"') {
    name_end = skip_quoted(name, line_end);
    if (name_end != nullptr) line.metric = std::string_view(name + 1, name_end - 1);
    if (!is_valid_utf8(line.metric)) return fail_page(fault, name, end, "invalid UTF-8 in metric name");
  } else if (is_metric_start(*name)) {
    name_end = skip_metric_name(name);
    line.metric = std::string_view(name, name_end);
  }
  if (line.metric.empty()) return fail_page(fault, name, end, "expected metric name after " + keyword);
  if (*name_end != ' ') return fail_page(fault, name_end, end, "expected text in " + keyword);
  line.text = std::string_view(name_end + 1, line_end);
  if (line.kind == MetadataLine::Kind::type) {
    if (!is_type_word(line.text, line.type)) return fail_page(fault, name_end + 1, end, "invalid metric type");
  } else if (line.kind == MetadataLine::Kind::help) {
    if (!is_valid_utf8(line.text)) return fail_page(fault, name_end, end, "help text is not a valid UTF-8 string");
  } else if (!line.text.empty()) {
    const bool is_suffix = line.metric.size() > line.text.size() && line.metric.ends_with(line.text) &&
                           line.metric[line.metric.size() - line.text.size() - 1] == '_';
    if (!is_suffix) return fail_page(fault, name, end, "unit not a suffix of metric");
  }
  metadata.push_back(line);
  return true;
}

}  // namespace

bool fail_without_eof(const char* at, PageFault& fault) {
  fault.at = at;
  fault.what = "data does not end with # EOF";
  return false;
}

bool scan_openmetrics_series(const char* p, const char* end, std::vector<MetadataLine>& metadata, SeriesText& series,
                             PageFault& fault) {
  series = {};
  while (p < end && *p == '#') {
    const char* line_end = find_newline(p, end);
    const std::string_view line(p, line_end);
    if (line.starts_with("# EOF")) {
      // A page has a newline at its end even if it came without.
      if (line.size() > 5 || line_end + 1 != end) {
        return fail_page(fault, line.size() > 5 ? p + 5 : line_end + 1, end, "unexpected data after # EOF");
      }
      return true;
    }
    if (!line.starts_with("# ")) return fail_page(fault, p, end, "expected a valid start token");
    if (!scan_metadata(p, line_end, end, metadata, fault)) return false;
    p = line_end + 1;
  }
  if (p >= end) return fail_without_eof(end, fault);
  series.begin = p;
  const bool named = is_metric_start(*p);
  if (!named && *p != '{') return fail_page(fault, p, end, "expected a valid start token");
  if (named) p = skip_metric_name(p);
  if (*p == '{' && !scan_labels(p, end, named, false, fault)) return false;
  series.end = p;
  return *p == ' ' || fail_page(fault, p, end, "expected value after metric");
}

const char* parse_openmetrics_tail(std::string_view series, const char* p, const char* end, SampleTail& tail,
                                   PageFault& fault) {
  tail.has_time = false;
  tail.has_exemplar = false;
  if (!take_number(p, end, "value after metric", tail.value, fault)) return nullptr;
  if (*p == ' ' && !is_exemplar_start(p)) {
    if (!take_time(++p, end, tail.time, fault)) return nullptr;
    tail.has_time = true;
  }
  if (*p == ' ' && is_exemplar_start(p)) {
    if (!takes_exemplars(series, p, fault) || !take_exemplar(p, end, tail, fault)) return nullptr;
    tail.has_exemplar = true;
  }
  if (*p != '\n') {
    fail_page(fault, p, end, "expected next entry after timestamp");
    return nullptr;
  }
  return p + 1;
}

Labels parse_exemplar_labels(std::string_view braces) {
  std::vector<Label> labels = parse_series(braces);
  labels.erase(labels.begin());  // where a series has its name
  return Labels(std::move(labels));
}

}  // namespace pipit
