#include "tools/plan_output.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/query_output.h"

namespace pipit {
namespace {

using Json = nlohmann::json;

// A server that means harm can't exhaust the stack; the parser allows 500 levels.
constexpr int kMaxDepth = 1000;

struct Line {
  std::string text;  ///< indented
  std::uint64_t series = 0;
  std::uint64_t samples = 0;
  std::uint64_t samples_read = 0;
  double seconds = 0;
};

std::uint64_t count(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

double number(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

bool add_lines(const Json& node, std::size_t level, std::vector<Line>& lines) {
  if (!node.is_object() || level > kMaxDepth) return false;
  const auto text = node.find("node");
  const auto inputs = node.find("inputs");
  if (text == node.end() || !text->is_string() || inputs == node.end() || !inputs->is_array()) return false;
  lines.push_back({std::string(2 * level, ' ') + printable(text->get<std::string>()), count(node, "series"),
                   count(node, "samples"), count(node, "samplesRead"), number(node, "seconds")});
  return std::ranges::all_of(*inputs, [&](const Json& input) { return add_lines(input, level + 1, lines); });
}

std::string milliseconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f ms", seconds * 1000);
  return text;
}

std::string padded(std::string_view text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ').append(text);
}

void append_row(std::string& out, std::string_view text, std::size_t width, std::string_view series,
                std::string_view samples, std::string_view read, std::string_view time) {
  out += text;
  out.append(width - std::min(width, display_width(text)), ' ');
  out += padded(series, 10) + padded(samples, 14) + padded(read, 14) + padded(time, 16) + '\n';
}

}  // namespace

std::optional<std::string> format_plan(std::string_view data_json) {
  const Json data = Json::parse(data_json, nullptr, /*allow_exceptions=*/false);
  if (!data.is_object() || !data.contains("plan") || !data.contains("stats")) return std::nullopt;
  std::vector<Line> lines;
  if (!data["plan"].is_null() && !add_lines(data["plan"], 0, lines)) return std::nullopt;

  // Expressions may be long; the numbers stand where most lines have room for them.
  constexpr std::size_t kMaxWidth = 90;
  std::size_t width = std::string_view("total").size();
  for (const Line& line : lines) width = std::max(width, std::min(display_width(line.text), kMaxWidth));
  std::string out;
  append_row(out, "", width, "series", "samples", "samples read", "time");
  for (const Line& line : lines) {
    append_row(out, line.text, width, std::to_string(line.series), std::to_string(line.samples),
               std::to_string(line.samples_read), milliseconds(line.seconds));
  }
  const Json& stats = data["stats"];
  const Json timings = stats.is_object() ? stats.value("timings", Json::object()) : Json::object();
  const Json samples = stats.is_object() ? stats.value("samples", Json::object()) : Json::object();
  if (!timings.is_object() || !samples.is_object()) return std::nullopt;
  append_row(out, "total", width, std::to_string(count(data, "series")), "",
             std::to_string(count(samples, "totalQueryableSamples")), milliseconds(number(timings, "execTotalTime")));
  out += "\nwaited " + milliseconds(number(timings, "execQueueTime")) + ", prepared " +
         milliseconds(number(timings, "queryPreparationTime")) + ", sorted " +
         milliseconds(number(timings, "resultSortTime")) + "; held " + std::to_string(count(samples, "peakSamples")) +
         " samples at most\n";
  return out;
}

}  // namespace pipit
