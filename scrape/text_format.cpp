#include "scrape/text_format.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "scrape/page_syntax.h"
#include "scrape/sample_value.h"

namespace pipit {
namespace {

const char* skip_blanks(const char* p) {
  while (is_blank(*p)) ++p;
  return p;
}

bool scan_label_value(const char*& p, const char* end, PageFault& fault) {
  if (*p != '"') return fail_page(fault, p, end, "expected label value in quotes");
  const char* close = skip_quoted(p, end);
  if (close == nullptr) return fail_page(fault, p, end, "expected the closing quote of a label value");
  if (!is_valid_utf8(std::string_view(p + 1, close - 1)))
    return fail_page(fault, p, end, "invalid UTF-8 in label value");
  p = close;
  return true;
}

/// A name inside braces, in quotes or not.
bool scan_name_in_braces(const char*& p, const char* end, PageFault& fault) {
  const char* start = p;
  if (*p != '"') {
    if (!is_label_start(*p)) return fail_page(fault, p, end, "expected label name");
    p = skip_label_name(p);
    return true;
  }
  p = skip_quoted(start, end);
  if (p == nullptr) return fail_page(fault, start, end, "expected the closing quote of a name");
  std::string_view name(start + 1, p - 1);
  if (name.empty()) return fail_page(fault, start, end, "expected a name that is not empty");
  if (!is_valid_utf8(name)) return fail_page(fault, start, end, "invalid UTF-8 in name");
  return true;
}

/// From the opening brace to behind the closing one.
bool scan_labels(const char*& p, const char* end, bool named, PageFault& fault) {
  const char* open = p;
  p = skip_blanks(p + 1);
  while (*p != '}') {
    const char* name = p;
    if (!scan_name_in_braces(p, end, fault)) return false;
    p = skip_blanks(p);
    if (*name == '"' && (*p == ',' || *p == '}')) {
      if (named) return fail_page(fault, name, end, "metric name already set");
      named = true;
      if (*p == ',') p = skip_blanks(p + 1);
      continue;
    }
    if (*p != '=') return fail_page(fault, p, end, "expected equal sign after label name");
    p = skip_blanks(p + 1);
    if (!scan_label_value(p, end, fault)) return false;
    p = skip_blanks(p);
    // Prometheus takes labels without a comma between them, and one after the last.
    if (*p == ',') p = skip_blanks(p + 1);
  }
  ++p;
  return named || fail_page(fault, open, end, "expected a metric name");
}

bool parse_type(std::string_view word, MetricType& type) {
  if (word == "counter" || word == "gauge" || word == "histogram" || word == "summary") {
    type = parse_metric_type(word);
    return true;
  }
  type = MetricType::unknown;
  return word == "untyped";
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// A line that starts with '#' at `p`; it ends at `line_end`. Anything but HELP and TYPE is a comment.
bool scan_comment(const char* p, const char* line_end, const char* end, std::vector<MetadataLine>& metadata,
                  PageFault& fault) {
  const char* word = skip_blanks(p + 1);
  if (word == p + 1 || line_end - word < 5 || !is_blank(word[4])) return true;
  MetadataLine line;
  if (std::string_view(word, 4) == "TYPE") {
    line.kind = MetadataLine::Kind::type;
  } else if (std::string_view(word, 4) != "HELP") {
    return true;
  }
  const char* name = skip_blanks(word + 4);
  const char* name_end = name;
  if (*name == '"') {
    name_end = skip_quoted(name, line_end);
    if (name_end == nullptr) return fail_page(fault, name, end, "expected the closing quote of a metric name");
    line.metric = std::string_view(name + 1, name_end - 1);
    if (!is_valid_utf8(line.metric)) return fail_page(fault, name, end, "invalid UTF-8 in metric name");
  } else if (is_metric_start(*name)) {
    name_end = skip_metric_name(name);
    line.metric = std::string_view(name, name_end);
  }
  if (line.metric.empty()) {
    return fail_page(fault, name, end, "expected metric name after " + std::string(word, 4));
  }
  std::string_view text(name_end, line_end);
  if (!text.empty()) text.remove_prefix(1);  // the separator, whatever it is: Prometheus does not look
  if (line.kind == MetadataLine::Kind::type) {
    if (!parse_type(trim(text), line.type)) return fail_page(fault, name_end, end, "invalid metric type");
  } else {
    if (!is_valid_utf8(text)) return fail_page(fault, name_end, end, "help text is not valid UTF-8");
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    line.text = text;
  }
  metadata.push_back(line);
  return true;
}

}  // namespace

std::string describe_fault(const PageFault& fault, std::string_view page) {
  const char* at = std::clamp(fault.at, page.data(), page.data() + page.size());
  return "line " + std::to_string(1 + std::count(page.data(), at, '\n')) + ": " + fault.what;
}

std::string unescape_text(std::string_view text, bool quotes) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    if (next == '\\' || next == 'n' || (quotes && next == '"')) {
      out += next == 'n' ? '\n' : next;
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool scan_series(const char* p, const char* end, std::vector<MetadataLine>& metadata, SeriesText& series,
                 PageFault& fault) {
  series = {};
  while (p < end) {
    p = skip_blanks(p);
    if (*p == '\n') {
      ++p;
    } else if (*p == '#') {
      auto* line_end = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)));
      if (!scan_comment(p, line_end, end, metadata, fault)) return false;
      p = line_end + 1;
    } else {
      break;
    }
  }
  if (p >= end) return true;
  series.begin = p;
  bool named = is_metric_start(*p);
  if (!named && *p != '{') return fail_page(fault, p, end, "expected a metric name, '{' or '#'");
  if (named) p = skip_metric_name(p);
  series.end = p;
  p = skip_blanks(p);
  if (*p == '{') {
    if (!scan_labels(p, end, named, fault)) return false;
    series.end = p;
    p = skip_blanks(p);
  }
  if (*p == '\n' || *p == '{') return fail_page(fault, p, end, "expected value after metric");
  return true;
}

std::vector<Label> parse_series(std::string_view series) {
  std::vector<Label> labels(1);
  labels[0].name = kMetricName;
  const char* p = series.data();
  const char* end = p + series.size();
  auto skip = [end](const char* at) {
    while (at < end && (is_blank(*at) || *at == ',')) ++at;
    return at;
  };
  if (*p != '{') {
    auto name_size = std::min(series.find_first_of("{ \t"), series.size());
    labels[0].value = series.substr(0, name_size);
    p += name_size;
  }
  p = skip(p);
  if (p == end) return labels;
  for (p = skip(p + 1); *p != '}'; p = skip(p)) {
    const char* name = p;
    std::string text;
    if (*p == '"') {
      p = skip_quoted(p, end);
      text = unescape_text(std::string_view(name + 1, p - 1), true);
    } else {
      p = skip_label_name(p);
      text.assign(name, p);
    }
    const char* after = p;
    while (is_blank(*after)) ++after;
    if (*after != '=') {
      labels[0].value = std::move(text);
      continue;
    }
    const char* value = after + 1;
    while (is_blank(*value)) ++value;
    p = skip_quoted(value, end);
    labels.push_back({std::move(text), unescape_text(std::string_view(value + 1, p - 1), true)});
  }
  return labels;
}

const char* parse_sample_tail(const char* p, SampleTail& tail, PageFault& fault) {
  p = skip_blanks(p);
  const char* value = p;
  while (!is_blank(*p) && *p != '\n' && *p != '{') ++p;
  auto line_end = [](const char* at) { return at + std::strcspn(at, "\n"); };
  if (p == value || !parse_sample_value(std::string_view(value, p), tail.value)) {
    fail_page(fault, value, line_end(value), p == value ? "expected value after metric" : "expected a number as value");
    return nullptr;
  }
  p = skip_blanks(p);
  tail.has_exemplar = false;
  tail.has_time = *p != '\n';
  if (!tail.has_time) return p + 1;
  const char* word = p;
  p += static_cast<int>(*p == '-');
  while (is_digit(*p)) ++p;
  auto [stop, error] = std::from_chars(word, p, tail.time);
  if (error != std::errc() || stop != p) {
    fail_page(fault, word, line_end(word), "expected timestamp or new record");
    return nullptr;
  }
  p = skip_blanks(p);
  if (*p != '\n') {
    fail_page(fault, p, line_end(p), "expected next entry after timestamp");
    return nullptr;
  }
  return p + 1;
}

}  // namespace pipit
