#include "scrape/text_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "model/number.h"
#include "scrape/sample_value.h"

namespace pipit {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_label_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_metric_start(char c) { return is_label_start(c) || c == ':'; }

const char* skip_blanks(const char* p) {
  while (is_blank(*p)) ++p;
  return p;
}

const char* skip_metric_name(const char* p) {
  while (is_metric_start(*p) || is_digit(*p)) ++p;
  return p;
}

const char* skip_label_name(const char* p) {
  while (is_label_start(*p) || is_digit(*p)) ++p;
  return p;
}

/// The text at `p` for a message: up to the end of its line, shortened.
std::string excerpt(const char* p, const char* end) {
  constexpr std::ptrdiff_t kLongest = 40;
  if (p >= end) return "the end of the page";
  const char* stop = p;
  while (stop < end && *stop != '\n' && stop - p < kLongest) ++stop;
  if (stop == p) return "the end of the line";
  std::string out;
  append_quoted(out, std::string_view(p, stop));
  return out;
}

bool fail(PageFault& fault, const char* at, const char* end, std::string_view expected) {
  fault.at = at;
  fault.what = std::string(expected) + ", got " + excerpt(at, end);
  return false;
}

/// One past the quote that closes the string which opens at `p`, or null. Newlines may stand inside, as in Prometheus.
const char* skip_quoted(const char* p, const char* end) {
  for (++p; p < end; ++p) {
    if (*p == '"') return p + 1;
    if (*p == '\\' && (++p == end || *p == '\n')) return nullptr;
  }
  return nullptr;
}

bool scan_label_value(const char*& p, const char* end, PageFault& fault) {
  if (*p != '"') return fail(fault, p, end, "expected label value in quotes");
  const char* close = skip_quoted(p, end);
  if (close == nullptr) return fail(fault, p, end, "expected the closing quote of a label value");
  if (!is_valid_utf8(std::string_view(p + 1, close - 1))) return fail(fault, p, end, "invalid UTF-8 in label value");
  p = close;
  return true;
}

/// A name inside braces, in quotes or not.
bool scan_name_in_braces(const char*& p, const char* end, PageFault& fault) {
  const char* start = p;
  if (*p != '"') {
    if (!is_label_start(*p)) return fail(fault, p, end, "expected label name");
    p = skip_label_name(p);
    return true;
  }
  p = skip_quoted(start, end);
  if (p == nullptr) return fail(fault, start, end, "expected the closing quote of a name");
  std::string_view name(start + 1, p - 1);
  if (name.empty()) return fail(fault, start, end, "expected a name that is not empty");
  if (!is_valid_utf8(name)) return fail(fault, start, end, "invalid UTF-8 in name");
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
      if (named) return fail(fault, name, end, "metric name already set");
      named = true;
      if (*p == ',') p = skip_blanks(p + 1);
      continue;
    }
    if (*p != '=') return fail(fault, p, end, "expected equal sign after label name");
    p = skip_blanks(p + 1);
    if (!scan_label_value(p, end, fault)) return false;
    p = skip_blanks(p);
    // Prometheus takes labels without a comma between them, and one after the last.
    if (*p == ',') p = skip_blanks(p + 1);
  }
  ++p;
  return named || fail(fault, open, end, "expected a metric name");
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
    line.is_type = true;
  } else if (std::string_view(word, 4) != "HELP") {
    return true;
  }
  const char* name = skip_blanks(word + 4);
  const char* name_end = name;
  if (*name == '"') {
    name_end = skip_quoted(name, line_end);
    if (name_end == nullptr) return fail(fault, name, end, "expected the closing quote of a metric name");
    line.metric = std::string_view(name + 1, name_end - 1);
    if (!is_valid_utf8(line.metric)) return fail(fault, name, end, "invalid UTF-8 in metric name");
  } else if (is_metric_start(*name)) {
    name_end = skip_metric_name(name);
    line.metric = std::string_view(name, name_end);
  }
  if (line.metric.empty()) {
    return fail(fault, name, end, line.is_type ? "expected metric name after TYPE" : "expected metric name after HELP");
  }
  std::string_view text(name_end, line_end);
  if (!text.empty()) text.remove_prefix(1);  // the separator, whatever it is: Prometheus does not look
  if (line.is_type) {
    if (!parse_type(trim(text), line.type)) return fail(fault, name_end, end, "invalid metric type");
  } else {
    if (!is_valid_utf8(text)) return fail(fault, name_end, end, "help text is not valid UTF-8");
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    line.help = text;
  }
  metadata.push_back(line);
  return true;
}

/// The names of Prometheus's `parseFloat`: Go's ParseFloat without hexadecimal and underscores.
bool parse_sample_value(std::string_view word, double& value) {
  if (word.empty()) return false;
  bool plain = std::all_of(word.begin(), word.end(), [](char c) {
    return is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
  });
  if (!plain) {
    if (word.find_first_of("pPxX_") != std::string_view::npos) return false;
    auto parsed = parse_float(word);
    if (!parsed) return false;
    value = std::isnan(*parsed) ? normal_nan() : *parsed;
    return true;
  }
  const char* begin = word.data() + static_cast<int>(word.front() == '+');
  const char* end = word.data() + word.size();
  if (word.front() == '+' && begin != end && *begin == '-') return false;
  auto [stop, error] = std::from_chars(begin, end, value);
  if (stop != end) return false;
  if (error == std::errc::result_out_of_range) {
    // Too small is zero, too large is an error; from_chars does not say which.
    value = std::strtod(std::string(begin, end).c_str(), nullptr);
    return std::isfinite(value);
  }
  return error == std::errc();
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
  if (!named && *p != '{') return fail(fault, p, end, "expected a metric name, '{' or '#'");
  if (named) p = skip_metric_name(p);
  series.end = p;
  p = skip_blanks(p);
  if (*p == '{') {
    if (!scan_labels(p, end, named, fault)) return false;
    series.end = p;
    p = skip_blanks(p);
  }
  if (*p == '\n' || *p == '{') return fail(fault, p, end, "expected value after metric");
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
    fail(fault, value, line_end(value), p == value ? "expected value after metric" : "expected a number as value");
    return nullptr;
  }
  p = skip_blanks(p);
  tail.has_time = *p != '\n';
  if (!tail.has_time) return p + 1;
  const char* word = p;
  p += static_cast<int>(*p == '-');
  while (is_digit(*p)) ++p;
  auto [stop, error] = std::from_chars(word, p, tail.time);
  if (error != std::errc() || stop != p) {
    fail(fault, word, line_end(word), "expected timestamp or new record");
    return nullptr;
  }
  p = skip_blanks(p);
  if (*p != '\n') {
    fail(fault, p, line_end(p), "expected next entry after timestamp");
    return nullptr;
  }
  return p + 1;
}

}  // namespace pipit
