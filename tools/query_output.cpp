#include "tools/query_output.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "model/duration.h"

namespace pipit {
namespace {

void append_padded(std::string& out, std::string_view text, std::size_t width) {
  out += text;
  out.append(width - std::min(width, display_width(text)), ' ');
}

std::string format_vector(const QueryAnswer& answer) {
  std::vector<std::string> names;
  std::size_t width = 0;
  for (const AnswerSeries& series : answer.series) {
    names.push_back(printable(series.labels.to_string()));
    width = std::max(width, display_width(names.back()));
  }
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (const AnswerPoint& point : answer.series[i].points) {
      append_padded(out, names[i], width);
      out += "  " + printable(point.value) + '\n';
    }
  }
  return out;
}

std::string format_matrix(const QueryAnswer& answer) {
  std::string out;
  for (const AnswerSeries& series : answer.series) {
    if (!out.empty()) out += '\n';
    out += printable(series.labels.to_string()) + '\n';
    for (const AnswerPoint& point : series.points) {
      constexpr std::size_t kTimeWidth = sizeof("2026-11-22T10:00:00.000Z") - 1;
      out += "  ";
      append_padded(out, format_rfc3339(point.time), kTimeWidth);
      out += "  " + printable(point.value) + '\n';
    }
  }
  return out;
}

std::string csv_time(TimestampMs t) {
  std::string text = std::to_string(t / 1000);
  if (t < 0 && t > -1000) text.insert(0, "-");
  const int ms = static_cast<int>(t % 1000 < 0 ? -(t % 1000) : t % 1000);
  if (ms == 0) return text;
  const std::string fraction = std::to_string(1000 + ms);
  text += '.' + fraction.substr(1);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

struct SourcePosition {
  std::size_t line = 0, column = 0;  ///< from 1; the column counts bytes
};

/// Finds `LINE:COLUMN: parse error` in a message.
std::optional<SourcePosition> find_position(std::string_view message) {
  const std::size_t end = message.find(": parse error");
  if (end == std::string_view::npos) return std::nullopt;
  const std::size_t start = message.substr(0, end).find_last_not_of("0123456789:");
  const std::string_view numbers = message.substr(start == std::string_view::npos ? 0 : start + 1, end - start - 1);
  const std::size_t colon = numbers.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  SourcePosition position;
  const auto read = [](std::string_view digits, std::size_t& out) {
    return std::from_chars(digits.data(), digits.data() + digits.size(), out).ec == std::errc();
  };
  if (!read(numbers.substr(0, colon), position.line) || !read(numbers.substr(colon + 1), position.column)) {
    return std::nullopt;
  }
  return position;
}

}  // namespace

void append_csv_field(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

std::string format_table(const QueryAnswer& answer) {
  switch (answer.type) {
    case AnswerType::scalar:
    case AnswerType::string: {
      const std::string& value = answer.series.at(0).points.at(0).value;
      return printable(value) + '\n';
    }
    case AnswerType::vector:
      return format_vector(answer);
    case AnswerType::matrix:
      break;
  }
  return format_matrix(answer);
}

std::string format_csv(const QueryAnswer& answer) {
  std::set<std::string_view> names;
  for (const AnswerSeries& series : answer.series) {
    for (const Label& label : series.labels) names.insert(label.name);
  }
  std::string out = "timestamp,value";
  for (const std::string_view name : names) {
    out += ',';
    append_csv_field(out, name);
  }
  out += '\n';
  for (const AnswerSeries& series : answer.series) {
    std::string labels;
    for (const std::string_view name : names) {
      labels += ',';
      append_csv_field(labels, series.labels.get(name));
    }
    for (const AnswerPoint& point : series.points) {
      out += csv_time(point.time) + ',';
      append_csv_field(out, point.value);
      out += labels + '\n';
    }
  }
  return out;
}

std::string format_error(const AnswerError& error, std::string_view expr) {
  std::string out = "error: ";
  if (!error.type.empty()) out += printable(error.type) + ": ";
  out += printable(error.message) + '\n';
  const std::optional<SourcePosition> position = find_position(error.message);
  if (!position) return out;
  for (std::size_t line = 1; line < position->line; ++line) {
    const std::size_t newline = expr.find('\n');
    if (newline == std::string_view::npos) return out;
    expr.remove_prefix(newline + 1);
  }
  expr = expr.substr(0, expr.find('\n'));
  // A column behind the end is where the input ended.
  if (position->column == 0 || position->column > expr.size() + 1) return out;
  out += "  " + printable(expr) + "\n  ";
  out.append(display_width(expr.substr(0, position->column - 1)), ' ');
  return out + "^\n";
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    const bool c1_control = byte == 0xc2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xa0;
    if (c1_control) {
      out.replace(i, 2, " ");
    } else if (byte < 0x20 || byte == 0x7f) {
      out[i] = ' ';
    }
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace pipit
